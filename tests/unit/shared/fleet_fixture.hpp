#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/oauth/token_response.hpp"
#include "daemon/shared/shared_fetcher.hpp"
#include "daemon/shared/shared_flight.hpp"
#include "tests/fakes/fixed_entropy.hpp"
#include "tests/fakes/log_recorder.hpp"
#include "tests/fakes/manual_clock.hpp"
#include "tests/fakes/memory_store.hpp"
#include "tests/fakes/scripted_fetcher.hpp"
#include "tests/unit/oauth/settable_secret.hpp"

namespace grantd::tests {

inline const std::string first_key = "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
inline const std::string second_key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// Different bytes each time, so that no two leases have one holder and no two seals one nonce.
class CountingEntropy final : public common::Entropy {
 public:
  void fill(std::span<std::byte> bytes) override {
    std::ranges::fill(bytes, std::byte{0});
    bytes.front() = static_cast<std::byte>(++count_);
  }

 private:
  unsigned count_ = 0;
};

struct CountedSharing final : daemon::SharedCacheMetrics {
  void operation(std::string_view, std::string_view) override {}
  void looked_up(bool hit) override { ++(hit ? hits : misses); }
  void entry_refused(std::string_view reason) override { refused.emplace_back(reason); }
  int hits = 0;
  int misses = 0;
  std::vector<std::string> refused;
};

/// Proves a client by a word.
class WordAuthentication final : public daemon::ClientAuthentication {
 public:
  explicit WordAuthentication(std::optional<std::string> w) : word(std::move(w)) {}
  common::Result<daemon::ClientProof> prove(daemon::FormBody&, const daemon::ProofOccasion&) override {
    return daemon::ClientProof{};
  }
  bool changed() const override { return false; }
  std::optional<common::Secret> identity() override {
    if (!word) return std::nullopt;
    return common::Secret{*word};
  }
  std::optional<std::string> word;
};

inline std::shared_ptr<config::ClientSettings> client_settings() {
  auto settings = std::make_shared<config::ClientSettings>();
  settings->name = "client";
  settings->token_endpoint = *config::Url::parse("https://as.example/token");
  settings->client_id = "id";
  return settings;
}

/// A machine: its own memory, keys and store, and an authorization server that the test plays.
struct Machine {
  Machine(ManualTime& time, SharedNames& names, common::Entropy& entropy, std::string key_text = first_key)
      : keys(std::make_shared<SettableSecret>(std::move(key_text))),
        store(std::make_shared<MemoryStore>(names)),
        cache(std::make_shared<daemon::SharedCache>("grantd:", store, keys,
                                                    daemon::SharedParts{.timers = time.timers,
                                                                        .entropy = entropy,
                                                                        .log = log,
                                                                        .metrics = metrics,
                                                                        .memory = memory})),
        fetcher(cache, server, settings, {.authentication = authentication}) {}

  using Wish = daemon::FetchWish;
  /// Asks for a token; the answer stands in `answers`.
  void ask(Wish wish = {}, daemon::Variant variant = {}) {
    fetcher.fetch(variant, std::make_shared<Wish>(std::move(wish)), [this](daemon::FetchResult result) {
      answers.push_back(result
                            ? std::string{result->access_token.reveal()} + (result->shared ? " shared" : "")
                            : std::string{name(result.error().error.code)});
      if (result) last = std::move(*result);
    });
    store->settle();
  }
  /// What the server answers, and all that comes of it.
  void succeed(const std::string& text, std::chrono::seconds lifetime = std::chrono::seconds{300}) {
    server->finish(daemon::TokenGrant{
        .access_token = common::Secret{text}, .version = daemon::token_version(text), .lifetime = lifetime});
    store->settle();
  }
  /// That an API refused the last token.
  Wish rejecting() const {
    return {.replaces = last.version,
            .obtained = last.term->obtained,
            .expires = last.term->expires,
            .rejected = true};
  }
  std::string take() {
    if (answers.empty()) return "waiting";
    std::string first = answers.front();
    answers.erase(answers.begin());
    return first;
  }

  LogRecorder log;
  CountedSharing metrics;
  daemon::SharedMemory memory;
  std::shared_ptr<config::ClientSettings> settings = client_settings();
  std::shared_ptr<WordAuthentication> authentication = std::make_shared<WordAuthentication>("secret");
  std::shared_ptr<ScriptedFetcher> server = std::make_shared<ScriptedFetcher>();
  std::shared_ptr<SettableSecret> keys;
  std::shared_ptr<MemoryStore> store;
  std::shared_ptr<daemon::SharedCache> cache;
  daemon::SharedFetcher fetcher;
  std::vector<std::string> answers;
  daemon::TokenGrant last;
};

/// Two machines with the same definition.
struct Fleet {
  ManualTime time;
  CountingEntropy entropy;
  SharedNames names{time.timers};
  Machine a{time, names, entropy};
  Machine b{time, names, entropy};

  /// Lets time pass in small steps; what the machines ask the store meanwhile is done at once.
  void pass(std::chrono::milliseconds span, std::vector<Machine*> of = {}) {
    if (of.empty()) of = {&a, &b};
    for (std::chrono::milliseconds done{0}; done < span; done += std::chrono::milliseconds{5}) {
      time.advance(std::chrono::milliseconds{5});
      for (Machine* machine : of) machine->store->settle();
    }
  }
  std::string only_entry() {
    std::string found;
    for (const auto& [name, value] : names.values) {
      if (!name.ends_with(":lease")) found = name;
    }
    return found;
  }
};

inline std::string version(const std::string& text) { return daemon::token_version(text); }

}  // namespace grantd::tests
