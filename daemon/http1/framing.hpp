#pragma once

#include <boost/beast/http/field.hpp>
#include <optional>
#include <string_view>

#include "daemon/http1/head.hpp"

namespace grantd::daemon::http1 {

/// Collects what the fields of one head say about its body and its connection. Every ambiguity is an error,
/// whichever way a lenient parser would decide it (RFC 9112 section 6.3).
class Framing {
 public:
  /// Looks at one field. The error is a sentence.
  std::optional<std::string_view> add(boost::beast::http::field field, std::string_view value);
  /// The contradictions that only the whole head shows.
  std::optional<std::string_view> check(int minor_version) const;

  bool chunked() const { return chunked_; }
  const std::optional<std::uint64_t>& content_length() const { return content_length_; }
  bool keep_alive(int minor_version) const { return !close_ && (minor_version >= 1 || keep_alive_); }
  /// Whether `Connection` names the field `Upgrade`.
  bool connection_names_upgrade() const { return upgrade_; }

 private:
  std::optional<std::string_view> add_content_length(std::string_view value);
  void add_connection(std::string_view list);

  std::optional<std::uint64_t> content_length_;
  bool chunked_ = false;
  bool close_ = false;
  bool keep_alive_ = false;
  bool upgrade_ = false;
};

}  // namespace grantd::daemon::http1
