#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/fakes/fixed_entropy.hpp"
#include "tests/fakes/log_recorder.hpp"
#include "tests/fakes/manual_clock.hpp"
#include "tests/fakes/scripted_fetcher.hpp"

namespace grantd::tests {

/// What `evict` of the cache comes to with a fetcher that drops at once.
inline common::Result<void> evict(daemon::TokenCache& cache, const std::optional<daemon::Variant>& variant,
                                  uid_t uid) {
  std::optional<common::Result<void>> outcome;
  cache.evict(variant, uid, [&outcome](common::Result<void> result) { outcome = std::move(result); });
  return outcome.value();
}

/// A cache on a clock that the test moves, with a server that the test plays.
struct CacheFixture {
  using Memory = daemon::FetchError::Memory;

  explicit CacheFixture(daemon::CacheRules r = {}) : rules(with_own_variant(std::move(r))) {}

  static daemon::CacheRules with_own_variant(daemon::CacheRules r) {
    if (r.configured.empty()) r.configured.emplace_back();
    return r;
  }

  ManualTime time;
  FixedEntropy entropy;
  LogRecorder log;
  daemon::ClientMetrics metrics;
  std::shared_ptr<ScriptedFetcher> server = std::make_shared<ScriptedFetcher>();
  daemon::CacheRules rules;
  daemon::TokenCache cache{rules, server, {time.timers, entropy, log, metrics}};

  /// Asks like a caller: at once where possible, else waiting. The answers stand in the order they came.
  void ask(daemon::TokenQuery query = {}) {
    if (auto now = cache.get_now(query)) return answers.push_back(describe(*now));
    cache.get(query, [this](daemon::HandoutResult result) { answers.push_back(describe(result)); });
  }
  /// The one answer since the last call; "waiting" where there is none.
  std::string take() {
    if (answers.empty()) return "waiting";
    std::string first = answers.front();
    answers.erase(answers.begin());
    return first;
  }
  std::string ask_now(daemon::TokenQuery query = {}) {
    answers.clear();
    ask(std::move(query));
    return take();
  }
  static std::string describe(const daemon::HandoutResult& result) {
    if (!result) return std::string{name(result.error().code)};
    return std::string{result->token->access_token.reveal()};
  }

  std::vector<std::string> answers;
};

}  // namespace grantd::tests
