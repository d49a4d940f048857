#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "daemon/cache/cache_context.hpp"

namespace grantd::daemon {

/// The token of one variant: absent, valid or past its renewal time; with at most one request under way, and
/// callers who wait for it or for the one after it. Loop thread only.
class CachedVariant : public std::enable_shared_from_this<CachedVariant> {
 public:
  /// `cache` outlives it.
  CachedVariant(Variant variant, CacheContext& cache);

  std::optional<HandoutResult> get_now(const TokenQuery& query, common::BootTime now);
  void get(const TokenQuery& query, TokenCache::Waiter waiter);

  /// Goes on with a token of an earlier process, unless there is a later one.
  void restore(RestoredToken restored);
  /// See TokenCache.
  common::UniqueFd page_of(const Token& token);
  void close_page() { page_.reset(); }
  void retire();
  /// Forgets the token, and says which it was; a request under way will not bring it back.
  DroppedToken drop();
  /// The rules have changed: whether the configuration names this variant, and whether it is kept fresh
  /// unasked.
  void set_role(bool configured, bool prefetch);
  /// Applies changed timing rules and forgets remembered errors.
  void apply_rules();

  bool has_request() const { return flight_ != nullptr; }
  bool ever_had_token() const { return ever_had_token_; }
  bool is_configured() const { return configured_; }
  CacheStatus status() const;
  /// A number that grows with every use, for dropping the least recently used; of no interest where the
  /// configuration names the variant.
  std::uint64_t last_use = 0;

 private:
  struct Waiting {
    TokenCache::Waiter waiter;
    bool forced;             // wants the server's answer, not the token at hand
    std::string rejected{};  // the version of another token, which an API refused
    std::chrono::seconds min_valid{0};
  };
  /// A token request under way.
  struct Flight {
    common::BootTime started;
    std::shared_ptr<FetchWish> wish;
    bool stale = false;  // the token was dropped meanwhile: the result is for its waiters alone
    std::vector<Waiting> waiting{};
  };
  struct Decision {
    enum class What { serve, fail, join, start, join_next } what;
    bool provoked = false;
    bool rejected = false;  // the token at hand
    std::optional<common::Error> error{};
  };

  /// All that a hit needs is decided at one reading of the clock.
  Decision decide(const TokenQuery& query, common::BootTime now);
  Decision decide_forced(uid_t uid);
  Decision decide_without_token(uid_t uid);
  bool rejection_is_guarded(common::BootTime now);
  bool is_valid(common::BootTime now) const { return token_ && now < token_->expires; }
  bool has_valid_token() const { return is_valid(now()); }
  common::BootTime now() const { return cache_.now(); }

  HandoutResult serve(common::BootTime now);
  Handout hand_out(TokenPtr token, TokenOrigin origin);
  void start_flight(FetchWish wish = {});
  void land(FetchResult result);
  void store(TokenPtr token, const Flight& flight);
  void replace_token(TokenPtr token);
  void forget_token();
  void set_used(bool used);
  TokenUse use() const {
    return {.used = used_, .from_rejection = from_rejection_, .same_token_again = same_token_again_};
  }
  void remember(const FetchError& failure);
  const Failure* last_failure() const;
  void answer(std::vector<Waiting> waiting, const std::expected<Handout, common::Error>& outcome);
  void start_next();
  bool wants_renewal() const { return !cache_.retired && (used_ || prefetch_); }
  void renew_if_due();
  void schedule();
  void on_timer();

  // What a token takes that is neither due nor short stands together: with thousands of definitions each
  // place is a cache miss.
  TokenPtr token_;
  common::BootTime renew_at_{};
  bool configured_ = false;
  bool prefetch_ = false;
  bool used_ = false;  // handed out since it was obtained
  bool ever_had_token_ = false;
  bool same_token_again_ = false;
  bool from_rejection_ = false;  // the token was fetched in place of a rejected one
  std::unique_ptr<Flight> flight_;
  ClientMetrics& metrics_;
  CacheContext& cache_;

  std::unique_ptr<KeptToken> kept_;      // for the next process; null: not kept
  std::unique_ptr<PublishedPage> page_;  // of `token_`; null: nobody has asked for one
  common::BootTime background_not_before_{};
  RememberedError error_;
  std::optional<Failure> failure_;  // of the last attempt, where it was this variant's own
  std::string guarded_version_;     // for which the guard below was set
  common::BootTime guarded_until_{};
  std::chrono::seconds guard_step_{0};
  std::vector<Waiting> next_;  // for the flight after the present one
  common::Timer timer_;
  const Variant variant_;
};

}  // namespace grantd::daemon
