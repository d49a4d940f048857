#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>
#include <optional>
#include <string_view>

#include "daemon/http1/framing.hpp"
#include "daemon/http1/head.hpp"
#include "daemon/http1/raw_scan.hpp"

namespace grantd::daemon::http1 {

inline std::string_view as_std(boost::beast::string_view text) { return {text.data(), text.size()}; }

/// Beast's parser for one head, giving views into the bytes instead of a container of copies. It lives on the
/// stack for one head and holds no memory.
template <bool is_request>
class BeastParser : public boost::beast::http::basic_parser<is_request> {
 public:
  /// Parses one whole head into `head`'s common members. The error is a sentence.
  std::optional<std::string_view> parse(std::string_view bytes, Head& head) {
    head_ = &head;
    head.fields.clear();
    if (const auto malformed = find_malformed_line(bytes)) return malformed;
    this->skip(true);  // the body is none of its business
    this->header_limit(std::numeric_limits<std::uint32_t>::max());
    error_code failure;
    this->put(boost::asio::buffer(bytes.data(), bytes.size()), failure);
    if (wrong_) return wrong_;
    if (failure || !this->is_header_done()) return "the head is not HTTP/1.1";
    if (const auto contradiction = framing_.check(head.minor_version)) return contradiction;
    head.keep_alive = framing_.keep_alive(head.minor_version);
    return std::nullopt;
  }

 protected:
  using error_code = boost::beast::error_code;
  using field = boost::beast::http::field;
  using string_view = boost::beast::string_view;

  /// Ends the parse; `sentence` becomes its error.
  void refuse(std::string_view sentence, error_code& failure) {
    if (!wrong_) wrong_ = sentence;
    failure = make_error_code(boost::beast::http::error::bad_value);
  }
  bool accept_version(int version, error_code& failure) {
    if (version != 10 && version != 11) {
      refuse("the protocol version is neither HTTP/1.1 nor HTTP/1.0", failure);
      return false;
    }
    head_->minor_version = version - 10;
    return true;
  }
  virtual void on_field(field, std::string_view, error_code&) {}

  void on_field_impl(field name, string_view spelling, string_view value, error_code& failure) final {
    head_->fields.push_back({as_std(spelling), as_std(value)});
    if (name == field::unknown) return;
    if (const auto wrong = framing_.add(name, as_std(value))) return refuse(*wrong, failure);
    on_field(name, as_std(value), failure);
  }
  void on_header_impl(error_code&) final {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) final {}
  std::size_t on_body_impl(string_view, error_code&) final { return 0; }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) final {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) final { return 0; }
  void on_finish_impl(error_code&) final {}

  Framing framing_;

 private:
  Head* head_ = nullptr;
  std::optional<std::string_view> wrong_;
};

}  // namespace grantd::daemon::http1
