#pragma once

#include <memory>

#include "common/unique_fd.hpp"
#include "daemon/oauth/token.hpp"

namespace grantd::daemon {

/// One token as other processes read it from shared memory; closed and wiped for all of them when this is
/// destroyed.
class PublishedPage {
 public:
  virtual ~PublishedPage() = default;
  /// A descriptor of its own for one reader, which can do nothing but read with it; none where there is no
  /// more.
  virtual common::UniqueFd for_reader() = 0;
};

/// Puts one definition's tokens into pages: given to the cache by the application. What it returns may be
/// null where there can be no page, or no more. Loop thread only.
class PagePublisher {
 public:
  virtual ~PagePublisher() = default;
  virtual std::unique_ptr<PublishedPage> publish(const Variant& variant, const Token& token) = 0;
  /// The page of this very token that an earlier process made under the same access rules.
  virtual std::unique_ptr<PublishedPage> take_page(const Variant& variant, const Token& token) = 0;
};

}  // namespace grantd::daemon
