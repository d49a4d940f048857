#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "daemon/cache/token_cache.hpp"

namespace grantd::tests {

/// Keeps every fetch until the test says how it ended.
class ScriptedFetcher final : public daemon::TokenFetcher {
 public:
  void fetch(const daemon::Variant& variant, std::shared_ptr<const daemon::FetchWish> wish,
             Done done) override {
    ++requests;
    variants.push_back(variant);
    wishes.push_back(std::move(wish));
    under_way.push_back(std::move(done));
  }
  void fetch_with_assertion(const daemon::Variant& variant, common::Secret, Done done) override {
    fetch(variant, std::make_shared<daemon::FetchWish>(), std::move(done));
  }
  bool credentials_changed() const override { return changed; }

  /// Ends the oldest request with a token whose string is `text`.
  void succeed(const std::string& text, std::chrono::seconds lifetime = std::chrono::minutes{5}) {
    finish(daemon::TokenGrant{
        .access_token = common::Secret{text}, .version = "v-" + text, .lifetime = lifetime});
  }
  void fail(daemon::FetchError::Memory memory, common::ErrorCode code,
            std::optional<std::chrono::seconds> retry_after = std::nullopt) {
    finish(std::unexpected(daemon::FetchError{
        .error = {.code = code, .detail = "scripted"}, .memory = memory, .retry_after = retry_after}));
  }

  void finish(daemon::FetchResult result) {
    Done done = std::move(under_way.front());
    under_way.pop_front();
    done(std::move(result));
  }

  int requests = 0;
  bool changed = false;
  std::vector<daemon::Variant> variants;
  std::vector<std::shared_ptr<const daemon::FetchWish>> wishes;
  std::deque<Done> under_way;
};

}  // namespace grantd::tests
