#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/entropy.hpp"
#include "common/log.hpp"
#include "daemon/cache/page_publisher.hpp"
#include "daemon/kept/kept_tokens.hpp"
#include "daemon/metrics/metrics.hpp"
#include "daemon/publish/token_page_memory.hpp"

namespace grantd::daemon {

/// Who holds pages from this process to the next, so that the next one can close them.
struct PageHolder {
  /// How many it holds at most.
  std::size_t most = 0;
  /// Whether it has the page now.
  std::function<bool(const std::string& name, int descriptor)> hold{};
  std::function<void(const std::string& name)> release{};
};

/// The token pages of all definitions. With a holder, no page is given away that it does not hold. Whoever
/// has a PublishedPage may outlive this. Loop thread only.
class TokenPages {
 public:
  static constexpr const char* name_prefix = "page-";

  /// All outlive this.
  TokenPages(common::Entropy& entropy, common::Logger& log, Metrics& metrics, KeptTokens& kept);
  ~TokenPages();
  TokenPages(const TokenPages&) = delete;
  TokenPages& operator=(const TokenPages&) = delete;

  /// `left`: what the holder has from an earlier process, by name. Without this, nobody holds pages.
  void begin(PageHolder holder, std::multimap<std::string, common::UniqueFd> left);

  /// `access`: the rules under which the definition's tokens may be had, as a digest. A page of an earlier
  /// process is gone on with only if they are the same.
  std::shared_ptr<PagePublisher> publisher(std::string client, std::string access);

  /// Closes what no definition took.
  void close_untaken();
  /// Leaves every page as it is for the next process: what is destroyed from now on is not closed.
  void leave();

 private:
  friend class DefinitionPublisher;
  struct State;
  class Page;

  std::unique_ptr<PublishedPage> publish(const std::string& client, const std::string& access,
                                         const Variant& variant, const Token& token);
  std::unique_ptr<PublishedPage> take(const std::string& client, const std::string& access,
                                      const Variant& variant, const Token& token);

  /// Counts a page that there cannot be; with a line, if the last one could be had.
  void complain(std::string_view event, std::initializer_list<common::LogField> fields);
  void check_locked(const TokenPageMemory& memory);
  std::string new_name();

  common::Entropy& entropy_;
  common::Logger& log_;
  Metrics& metrics_;
  KeptTokens& kept_;
  std::shared_ptr<State> state_;  // owned here alone; a Page looks whether it is still there
  std::map<std::string, std::optional<TokenPageMemory>> left_;  // none: it is of no use
  bool complained_ = false;
  bool told_of_swap_ = false;
};

}  // namespace grantd::daemon
