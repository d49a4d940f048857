// A page is in the holder's hands before anybody can read it, and closed before the holder lets it go:
// whenever the process is killed, the next one can close every page that somebody may have mapped.
#include "daemon/publish/token_pages.hpp"

#include <array>
#include <utility>

#include "daemon/cache/refresh_policy.hpp"

namespace grantd::daemon {

namespace {

token_page::Content content_of(const Token& token) {
  return {.type = token.type == TokenType::dpop ? "DPoP" : "Bearer",
          .token = token.access_token.reveal(),
          .scope = token.scope,
          .version = token.version,
          .obtained = token.obtained,
          .expires = token.expires,
          .expires_at = token.expires_wall,
          .min_valid = default_min_valid(token.obtained, token.expires)};
}

}  // namespace

struct TokenPages::State {
  std::optional<PageHolder> holder;
  std::size_t open = 0;
};

class TokenPages::Page final : public PublishedPage {
 public:
  Page(std::weak_ptr<State> state, std::string name, TokenPageMemory memory, std::unique_ptr<Kept> kept)
      : state_(std::move(state)), name_(std::move(name)), memory_(std::move(memory)), kept_(std::move(kept)) {
    ++state_.lock()->open;
  }
  ~Page() override {
    const auto state = state_.lock();
    if (!state) return;
    memory_.close();
    --state->open;
    // Forgotten before it is let go: of what the next process finds noted, the holder has the page.
    kept_.reset();
    if (state->holder) state->holder->release(name_);
  }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  common::UniqueFd for_reader() override { return memory_.open_for_reader(); }
  bool holds(const Token& token) const { return memory_.holds(content_of(token)); }

 private:
  std::weak_ptr<State> state_;
  std::string name_;
  TokenPageMemory memory_;
  std::unique_ptr<Kept> kept_;
};

class DefinitionPublisher final : public PagePublisher {
 public:
  DefinitionPublisher(TokenPages& all, std::string client, std::string access)
      : all_(all), client_(std::move(client)), access_(std::move(access)) {}

  std::unique_ptr<PublishedPage> publish(const Variant& variant, const Token& token) override {
    return all_.publish(client_, access_, variant, token);
  }
  std::unique_ptr<PublishedPage> take_page(const Variant& variant, const Token& token) override {
    return all_.take(client_, access_, variant, token);
  }

 private:
  TokenPages& all_;
  std::string client_;
  std::string access_;
};

TokenPages::TokenPages(common::Entropy& entropy, common::Logger& log, Metrics& metrics, KeptTokens& kept)
    : entropy_(entropy), log_(log), metrics_(metrics), kept_(kept), state_(std::make_shared<State>()) {}

TokenPages::~TokenPages() = default;

void TokenPages::begin(PageHolder holder, std::multimap<std::string, common::UniqueFd> left) {
  state_->holder = std::move(holder);
  for (auto& [name, descriptor] : left) {
    if (auto memory = TokenPageMemory::open(std::move(descriptor))) {
      check_locked(*memory);
      left_.emplace(name, std::move(*memory));
    } else {
      log_.warning("stored_page_dropped",
                   {{"name", name}, {"reason", "what the service manager held " + memory.error()}});
      left_.emplace(name, std::nullopt);
    }
  }
}

std::shared_ptr<PagePublisher> TokenPages::publisher(std::string client, std::string access) {
  return std::make_shared<DefinitionPublisher>(*this, std::move(client), std::move(access));
}

std::unique_ptr<PublishedPage> TokenPages::publish(const std::string& client, const std::string& access,
                                                   const Variant& variant, const Token& token) {
  const auto& holder = state_->holder;
  if (holder && state_->open + left_.size() >= holder->most) {
    complain("too_many_pages", {{"limit", holder->most},
                                {"detail",
                                 "further callers get their tokens over the socket; see "
                                 "FileDescriptorStoreMax"}});
    return nullptr;
  }
  auto memory = TokenPageMemory::create(content_of(token));
  if (!memory) {
    complain("no_page", {{"client", client}, {"detail", memory.error()}});
    return nullptr;
  }
  check_locked(*memory);
  std::string name = new_name();
  std::unique_ptr<Kept> kept;
  if (holder) {
    if (!holder->hold(name, memory->descriptor())) {
      complain("no_page", {{"client", client}, {"detail", "the service manager does not take it to hold"}});
      return nullptr;
    }
    kept = kept_.keep_page(
        {.client = client, .access = access, .variant = variant, .version = token.version, .name = name});
  }
  complained_ = false;
  return std::make_unique<Page>(state_, std::move(name), std::move(*memory), std::move(kept));
}

std::unique_ptr<PublishedPage> TokenPages::take(const std::string& client, const std::string& access,
                                                const Variant& variant, const Token& token) {
  KeptPage kept = kept_.take_page(client, access, variant, token.version);
  if (kept.name.empty()) return nullptr;
  const auto found = left_.find(kept.name);
  if (found == left_.end()) {
    log_.warning("stored_page_missing",
                 {{"client", client},
                  {"detail",
                   "the service manager does not hold a page that callers may have, which cannot be closed "
                   "then; see FileDescriptorStoreMax and FDSTORE"}});
    return nullptr;
  }
  if (!found->second) return nullptr;
  auto page = std::make_unique<Page>(state_, found->first, std::move(*found->second), std::move(kept.kept));
  left_.erase(found);
  if (page->holds(token)) return page;
  log_.warning("stored_page_dropped",
               {{"client", client}, {"reason", "it does not hold the client's token"}});
  return nullptr;
}

void TokenPages::close_untaken() {
  for (auto& [name, memory] : left_) {
    if (memory) memory->close();
    state_->holder->release(name);
  }
  left_.clear();
}

void TokenPages::leave() { state_.reset(); }

void TokenPages::complain(std::string_view event, std::initializer_list<common::LogField> fields) {
  metrics_.page_withheld("not_held");
  if (!std::exchange(complained_, true)) log_.warning(event, fields);
}

void TokenPages::check_locked(const TokenPageMemory& memory) {
  if (memory.locked() || !state_->holder || std::exchange(told_of_swap_, true)) return;
  log_.warning("memory_not_locked", {{"detail", "token pages may be swapped out; see LimitMEMLOCK"}});
}

std::string TokenPages::new_name() {
  std::array<std::byte, 8> number{};
  entropy_.fill(number);
  std::string name = name_prefix;
  for (const std::byte byte : number) {
    constexpr std::string_view digits = "0123456789abcdef";
    name += digits[std::to_integer<std::size_t>(byte >> 4)];
    name += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return name;
}

}  // namespace grantd::daemon
