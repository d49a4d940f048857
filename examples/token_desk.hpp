#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

/// The demo's authorization server without its HTTP: knows two clients, issues opaque tokens and answers for
/// them. Safe to use from several threads.
class TokenDesk {
 public:
  explicit TokenDesk(std::chrono::seconds lifetime) : lifetime_(lifetime) {}

  struct Issued {
    std::string access_token;
    int number;  // for people to tell tokens apart without seeing them
    std::string scope;
    std::chrono::seconds lifetime;
  };
  /// Nothing where id and secret do not belong together, or the client may not have the scope.
  std::optional<Issued> issue(const std::string& client_id, const std::string& client_secret,
                              const std::string& scope);

  enum class Verdict { good, unknown, expired, revoked, scope_missing };
  struct Judgement {
    Verdict verdict = Verdict::unknown;
    int number = 0;  // 0 where the token was never issued here
  };
  Judgement judge(const std::string& access_token, const std::string& scope) const;

  /// From now on every token issued so far is refused.
  void revoke_all();

 private:
  struct Entry {
    int number;
    std::string scope;
    std::chrono::steady_clock::time_point expires;
    bool revoked = false;
  };

  const std::chrono::seconds lifetime_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> tokens_;  // guarded by mutex_
};
