#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/log.hpp"
#include "daemon/cache/token_keeper.hpp"
#include "daemon/kept/kept_memory.hpp"
#include "daemon/kept/token_record.hpp"
#include "daemon/oauth/dpop_proof.hpp"

namespace grantd::daemon {

/// One definition as its tokens are kept for.
struct KeptDefinition {
  std::string client;
  /// As it is now: a credential may be read anew at any time.
  std::function<DefinitionFingerprint()> fingerprint;
  /// The key that tokens are bound to now; null: none. Only a token that is bound to it, or to none, is
  /// restored.
  std::function<std::shared_ptr<const DpopKey>()> dpop_key;
};

/// A DPoP key that was made here, and its place in memory.
struct KeptDpopKey {
  std::shared_ptr<const DpopKey> key;
  std::unique_ptr<Kept> kept;
};

/// A token page, as the next process needs to know it.
struct KeptPage {
  std::string client{};
  /// The rules under which the token may be had, as a digest.
  std::string access{};
  Variant variant{};
  std::string version{};
  /// Under which somebody holds it.
  std::string name{};
  std::unique_ptr<Kept> kept{};
};

/// The tokens, and the keys made here that they are bound to, of all definitions, in memory that outlives the
/// process. Without such memory nothing is kept and nothing restored. Whoever holds a Kept may outlive this.
/// Loop thread only.
class KeptTokens {
 public:
  /// `log` outlives this.
  explicit KeptTokens(common::Logger& log) : log_(log) {}
  ~KeptTokens();
  KeptTokens(const KeptTokens&) = delete;
  KeptTokens& operator=(const KeptTokens&) = delete;

  /// Goes on with what an earlier process left; where there is none or it is of no use, which is logged,
  /// begins anew: true, and `descriptor` is to be given to whoever holds it for the next process. -1: there
  /// is no memory.
  bool begin(common::UniqueFd left, common::BootTime now);
  int descriptor() const { return memory_ ? memory_->descriptor() : -1; }

  std::shared_ptr<TokenKeeper> keeper(KeptDefinition definition);
  /// The key that an earlier process made for the definition and algorithm, null: none. `fingerprint` is the
  /// definition's part alone.
  KeptDpopKey take_dpop_key(std::string_view client, std::string_view definition,
                            config::SigningAlgorithm algorithm);
  std::unique_ptr<Kept> keep_dpop_key(std::string_view client, std::string_view definition,
                                      config::SigningAlgorithm algorithm, const DpopKey& key);

  /// `kept` of what is given does not count.
  std::unique_ptr<Kept> keep_page(const KeptPage& page);
  /// The page of this token that an earlier process published under the same rules; without a name: none.
  KeptPage take_page(std::string_view client, std::string_view access, const Variant& variant,
                     std::string_view version);

  /// Forgets what no definition took, with a line for each client.
  void drop_untaken();
  /// Leaves everything where it is for the next process: what is destroyed from now on is not forgotten.
  void leave() { memory_.reset(); }

 private:
  friend class DefinitionKeeper;
  struct Left {
    KeptMemory::Place place;
    std::uint32_t flags;
    TokenRecord record;
  };
  class Place;

  std::unique_ptr<Place> write(const TokenRecord& record, std::uint32_t flags);
  std::unique_ptr<Place> own(const Left& left);
  void check_locked();
  /// Takes those out that fit.
  std::vector<Left> take(TokenRecord::Kind kind, std::string_view client,
                         const std::function<bool(const TokenRecord&)>& fits);

  common::Logger& log_;
  std::shared_ptr<KeptMemory> memory_;  // owned here alone; a Place looks whether it is still there
  std::multimap<std::string, Left, std::less<>> left_;  // by client
  bool full_ = false;
  bool told_of_swap_ = false;
};

}  // namespace grantd::daemon
