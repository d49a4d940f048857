// A page is in the holder's hands before anybody can read it, and closed before the holder lets it go:
// whenever the process is killed, the next one can close every page that somebody may have mapped.
#include "daemon/publish/token_pages.hpp"

#include <algorithm>
#include <utility>

#include "daemon/cache/refresh_policy.hpp"

namespace grantd::daemon {

struct TokenPages::State {
  PageHolder holder;
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
    if (state->holder.most > 0) state->holder.release(name_);
  }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  common::UniqueFd for_reader() override { return memory_.open_for_reader(); }

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

TokenPages::TokenPages(common::Entropy& entropy, common::Logger& log, KeptTokens& kept)
    : entropy_(entropy), log_(log), kept_(kept), state_(std::make_shared<State>()) {}

TokenPages::~TokenPages() = default;

void TokenPages::begin(PageHolder holder, std::multimap<std::string, common::UniqueFd> left) {
  state_->holder = std::move(holder);
  for (auto& [name, descriptor] : left) {
    if (auto memory = TokenPageMemory::open(std::move(descriptor))) {
      left_.emplace(name, std::move(*memory));
    } else {
      state_->holder.release(name);
    }
  }
}

std::shared_ptr<PagePublisher> TokenPages::publisher(std::string client, std::string access) {
  return std::make_shared<DefinitionPublisher>(*this, std::move(client), std::move(access));
}

std::unique_ptr<PublishedPage> TokenPages::publish(const std::string& client, const std::string& access,
                                                   const Variant& variant, const Token& token) {
  PageHolder& holder = state_->holder;
  if (holder.most > 0 && state_->open + left_.size() >= holder.most) {
    if (!std::exchange(complained_, true)) {
      log_.warning("too_many_pages", {{"limit", holder.most},
                                      {"detail",
                                       "further callers get their tokens over the socket; see "
                                       "FileDescriptorStoreMax"}});
    }
    return nullptr;
  }
  auto memory = TokenPageMemory::create({.type = token.type == TokenType::dpop ? "DPoP" : "Bearer",
                                         .token = token.access_token.reveal(),
                                         .scope = token.scope,
                                         .version = token.version,
                                         .obtained = token.obtained,
                                         .expires = token.expires,
                                         .expires_at = token.expires_wall,
                                         .min_valid = default_min_valid(token.obtained, token.expires)});
  if (!memory) {
    if (!std::exchange(complained_, true))
      log_.warning("no_page", {{"client", client}, {"detail", memory.error()}});
    return nullptr;
  }
  complained_ = false;
  std::array<std::byte, 8> number{};
  entropy_.fill(number);
  std::string name = name_prefix;
  for (const std::byte byte : number) {
    constexpr std::string_view digits = "0123456789abcdef";
    name += digits[std::to_integer<std::size_t>(byte >> 4)];
    name += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  std::unique_ptr<Kept> kept;
  if (holder.most > 0) {
    holder.hold(name, memory->descriptor());
    kept = kept_.keep_page(
        {.client = client, .access = access, .variant = variant, .version = token.version, .name = name});
  }
  return std::make_unique<Page>(state_, std::move(name), std::move(*memory), std::move(kept));
}

std::unique_ptr<PublishedPage> TokenPages::take(const std::string& client, const std::string& access,
                                                const Variant& variant, const Token& token) {
  KeptPage kept = kept_.take_page(client, access, variant, token.version);
  const auto found = left_.find(kept.name);
  if (found == left_.end()) return nullptr;
  auto page = std::make_unique<Page>(state_, found->first, std::move(found->second), std::move(kept.kept));
  left_.erase(found);
  return page;
}

void TokenPages::close_untaken() {
  for (auto& [name, memory] : left_) {
    memory.close();
    state_->holder.release(name);
  }
  left_.clear();
}

void TokenPages::leave() { state_.reset(); }

}  // namespace grantd::daemon
