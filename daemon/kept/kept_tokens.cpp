// A token is written before the one it replaces is forgotten: a process killed in between leaves both, and
// the later one is restored. What is restored must fit its definition as it is configured now.
#include "daemon/kept/kept_tokens.hpp"

#include <algorithm>
#include <utility>

namespace grantd::daemon {
namespace {

using Kind = TokenRecord::Kind;

constexpr std::uint32_t flag_used = 1;
constexpr std::uint32_t flag_from_rejection = 2;
constexpr std::uint32_t flag_same_token_again = 4;

std::uint32_t flags_of(TokenUse use) {
  return (use.used ? flag_used : 0) | (use.from_rejection ? flag_from_rejection : 0) |
         (use.same_token_again ? flag_same_token_again : 0);
}

TokenUse use_of(std::uint32_t flags) {
  return {.used = (flags & flag_used) != 0,
          .from_rejection = (flags & flag_from_rejection) != 0,
          .same_token_again = (flags & flag_same_token_again) != 0};
}

TokenPtr token_of(TokenRecord& record, std::shared_ptr<const TokenBinding> binding) {
  return std::make_shared<const Token>(Token{.obtained = record.obtained,
                                             .expires = record.expires,
                                             .expires_wall = record.expires_wall,
                                             .access_token = std::move(record.secret),
                                             .type = record.type,
                                             .scope = std::move(record.scope),
                                             .version = std::move(record.version),
                                             .binding = std::move(binding)});
}

std::shared_ptr<const TokenBinding> binding_of(const TokenRecord& record,
                                               std::shared_ptr<const DpopKey> key) {
  if (record.key_thumbprint.empty()) return nullptr;
  return std::make_shared<const TokenBinding>(
      TokenBinding{.key = std::move(key), .access_token_hash = record.access_token_hash});
}

}  // namespace

/// A record's owner, as long as the memory is there.
class KeptTokens::Place final : public KeptToken {
 public:
  Place(std::weak_ptr<KeptMemory> memory, KeptMemory::Place place)
      : memory_(std::move(memory)), place_(place) {}
  ~Place() override {
    if (const auto memory = memory_.lock()) memory->wipe(place_);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  void set_use(TokenUse use) override {
    if (const auto memory = memory_.lock()) memory->set_flags(place_, flags_of(use));
  }

 private:
  std::weak_ptr<KeptMemory> memory_;
  KeptMemory::Place place_;
};

class DefinitionKeeper final : public TokenKeeper {
 public:
  DefinitionKeeper(KeptTokens& all, KeptDefinition definition)
      : all_(all), definition_(std::move(definition)) {}

  std::unique_ptr<KeptToken> keep(const Variant& variant, const Token& token, TokenUse use) override {
    TokenRecord record = record_of(Kind::token, token.binding.get());
    record.variant = variant;
    record.secret = token.access_token.clone();
    record.type = token.type;
    record.scope = token.scope;
    record.version = token.version;
    record.obtained = token.obtained;
    record.expires = token.expires;
    record.expires_wall = token.expires_wall;
    return all_.write(record, flags_of(use));
  }

  std::unique_ptr<Kept> keep_binding(const std::string& version, const TokenBinding& binding,
                                     common::BootTime expires) override {
    TokenRecord record = record_of(Kind::binding, &binding);
    record.version = version;
    record.expires = expires;
    return all_.write(record, 0);
  }

  std::vector<RestoredToken> take_tokens() override {
    std::vector<RestoredToken> restored;
    const auto key = definition_.dpop_key();
    for (KeptTokens::Left& left : take(Kind::token, key.get())) {
      auto token = token_of(left.record, binding_of(left.record, key));
      restored.push_back(
          {std::move(left.record.variant), std::move(token), use_of(left.flags), all_.own(left)});
    }
    return restored;
  }

  std::vector<RestoredBinding> take_bindings() override {
    std::vector<RestoredBinding> restored;
    const auto key = definition_.dpop_key();
    for (KeptTokens::Left& left : take(Kind::binding, key.get())) {
      auto binding = binding_of(left.record, key);
      restored.push_back(
          {std::move(left.record.version), std::move(binding), left.record.expires, all_.own(left)});
    }
    return restored;
  }

 private:
  TokenRecord record_of(Kind kind, const TokenBinding* binding) const {
    TokenRecord record{.kind = kind, .client = definition_.client, .fingerprint = definition_.fingerprint()};
    if (binding != nullptr) {
      record.access_token_hash = binding->access_token_hash;
      record.key_thumbprint = binding->key->thumbprint();
    }
    return record;
  }

  std::vector<KeptTokens::Left> take(Kind kind, const DpopKey* key) {
    const DefinitionFingerprint fingerprint = definition_.fingerprint();
    const std::string thumbprint = key != nullptr ? key->thumbprint() : std::string{};
    return all_.take(kind, definition_.client, [&](const TokenRecord& record) {
      return fingerprint.fits(record.fingerprint) &&
             (record.key_thumbprint.empty() ? kind == Kind::token : record.key_thumbprint == thumbprint);
    });
  }

  KeptTokens& all_;
  KeptDefinition definition_;
};

KeptTokens::~KeptTokens() = default;

bool KeptTokens::begin(common::UniqueFd left, common::BootTime now) {
  if (left) {
    if (auto opened = KeptMemory::open(std::move(left))) {
      memory_ = std::make_shared<KeptMemory>(std::move(*opened));
    } else {
      log_.warning("kept_tokens_dropped", {{"reason", "what the service manager held " + opened.error()}});
    }
  }
  if (!memory_) {
    auto made = KeptMemory::create();
    if (!made) {
      log_.warning("tokens_not_kept", {{"detail", made.error() + "; a restart will lose the tokens"}});
      return false;
    }
    memory_ = std::make_shared<KeptMemory>(std::move(*made));
    check_locked();
    return true;
  }
  check_locked();
  std::size_t unreadable = 0;
  for (const KeptMemory::Found& found : memory_->records()) {
    auto record = decode_token_record(found.kind, found.payload);
    const bool expired =
        record && (record->kind == Kind::token || record->kind == Kind::binding) && record->expires <= now;
    if (!record || expired) {
      unreadable += expired ? 0 : 1;
      memory_->wipe(found.place);
      continue;
    }
    std::string client = record->client;
    left_.emplace(std::move(client), Left{found.place, found.flags, std::move(*record)});
  }
  if (const std::size_t damaged = unreadable + memory_->damaged(); damaged > 0) {
    log_.warning("kept_tokens_dropped",
                 {{"reason", "their checksum or form is wrong"}, {"records", damaged}});
  }
  return false;
}

std::shared_ptr<TokenKeeper> KeptTokens::keeper(KeptDefinition definition) {
  return std::make_shared<DefinitionKeeper>(*this, std::move(definition));
}

KeptDpopKey KeptTokens::take_dpop_key(std::string_view client, std::string_view definition,
                                      config::SigningAlgorithm algorithm) {
  const auto fits = [&](const TokenRecord& record) {
    return record.fingerprint.definition == definition && record.algorithm == name(algorithm);
  };
  for (Left& left : take(Kind::dpop_key, client, fits)) {
    auto kept = own(left);
    auto key = SigningKey::parse(left.record.secret.reveal());
    if (!key) continue;
    if (auto bound = DpopKey::of(*std::move(key), algorithm)) return {*std::move(bound), std::move(kept)};
  }
  return {};
}

std::unique_ptr<Kept> KeptTokens::keep_dpop_key(std::string_view client, std::string_view definition,
                                                config::SigningAlgorithm algorithm, const DpopKey& key) {
  TokenRecord record{.kind = Kind::dpop_key, .client = std::string{client}};
  record.fingerprint.definition = definition;
  record.algorithm = name(algorithm);
  record.key_thumbprint = key.thumbprint();
  record.secret = key.private_pem();
  return write(record, 0);
}

std::unique_ptr<Kept> KeptTokens::keep_page(const KeptPage& page) {
  TokenRecord record{.kind = Kind::page, .client = page.client, .variant = page.variant};
  record.version = page.version;
  record.access = page.access;
  record.name = page.name;
  return write(record, 0);
}

KeptPage KeptTokens::take_page(std::string_view client, std::string_view access, const Variant& variant,
                               std::string_view version) {
  const auto fits = [&](const TokenRecord& record) {
    return record.access == access && record.variant == variant && record.version == version;
  };
  for (Left& left : take(Kind::page, client, fits)) return {.name = left.record.name, .kept = own(left)};
  return {};
}

// A page goes with its token, without a word of its own.
void KeptTokens::drop_untaken() {
  for (auto it = left_.begin(); it != left_.end();) {
    const auto next = left_.upper_bound(it->first);
    const auto lost =
        std::count_if(it, next, [](const auto& left) { return left.second.record.kind != Kind::page; });
    if (lost > 0) {
      log_.warning(
          "kept_tokens_dropped",
          {{"client", it->first}, {"reason", "the definition is gone or another one"}, {"records", lost}});
    }
    for (; it != next; ++it) memory_->wipe(it->second.place);
  }
  left_.clear();
}

std::unique_ptr<KeptTokens::Place> KeptTokens::write(const TokenRecord& record, std::uint32_t flags) {
  if (!memory_) return nullptr;
  const auto place = memory_->write(static_cast<std::uint32_t>(record.kind), encode(record).reveal(), flags);
  if (!place) {
    if (!std::exchange(full_, true)) {
      log_.warning("tokens_not_kept", {{"client", record.client},
                                       {"detail", "there is no memory for it; a restart will lose it"}});
    }
    return nullptr;
  }
  full_ = false;
  check_locked();
  return std::make_unique<Place>(memory_, *place);
}

void KeptTokens::check_locked() {
  if (memory_->locked() || std::exchange(told_of_swap_, true)) return;
  log_.warning("memory_not_locked", {{"detail", "kept tokens may be swapped out; see LimitMEMLOCK"}});
}

std::unique_ptr<KeptTokens::Place> KeptTokens::own(const Left& left) {
  return std::make_unique<Place>(memory_, left.place);
}

std::vector<KeptTokens::Left> KeptTokens::take(Kind kind, std::string_view client,
                                               const std::function<bool(const TokenRecord&)>& fits) {
  std::vector<Left> taken;
  const auto [begin, end] = left_.equal_range(client);
  for (auto it = begin; it != end;) {
    if (it->second.record.kind == kind && fits(it->second.record)) {
      taken.push_back(std::move(it->second));
      it = left_.erase(it);
    } else {
      ++it;
    }
  }
  return taken;
}

}  // namespace grantd::daemon
