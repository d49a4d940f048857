// Read with the event interface of nlohmann/json, so that nothing is built but what is wanted: the first
// value of a wrong type, unknown member or needless nesting ends the reading, and repeated members are seen
// at all. Errors never quote a value, which may be an assertion.
#include <nlohmann/json.hpp>
#include <set>

#include "daemon/server/token_wishes.hpp"

namespace grantd::daemon {
namespace {

using common::ErrorCode;
using common::fail;
using nlohmann::json;

constexpr std::size_t longest_quoted_name = 64;

class WishReader final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return wrong_type(); }
  bool boolean(bool value) override {
    if (place_ != Place::object || member_ != "force_renewal") return wrong_type();
    request.force_renewal = value;
    return true;
  }
  bool number_integer(number_integer_t value) override { return number(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return number(text); }
  bool string(string_t& value) override;
  bool binary(binary_t&) override { return wrong_type(); }
  bool start_object(std::size_t) override;
  bool key(string_t& name) override;
  bool end_object() override {
    place_ = place_ == Place::parameters ? Place::object : Place::outside;
    return true;
  }
  bool start_array(std::size_t) override {
    if (place_ != Place::object || member_ != "resource") return wrong_type();
    place_ = Place::resources;
    return true;
  }
  bool end_array() override {
    place_ = Place::object;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return refuse("the body is not JSON (byte " + std::to_string(position) + ")");
  }

  CallerRequest request;
  std::string error;

 private:
  enum class Place { outside, object, resources, parameters };

  bool refuse(std::string sentence) {
    if (error.empty()) error = std::move(sentence);
    return false;
  }
  bool number(const std::string& text);
  bool wrong_type();

  Place place_ = Place::outside;
  std::string member_;     // of the outer object
  std::string parameter_;  // of `parameters`
  std::set<std::string> seen_;
};

bool WishReader::wrong_type() {
  if (place_ == Place::outside) return refuse("the body must be a JSON object");
  if (member_ == "resource") return refuse("the member \"resource\" must be a string or an array of strings");
  if (member_ == "parameters") return refuse("the member \"parameters\" must be an object of strings");
  if (member_ == "force_renewal") return refuse("the member \"force_renewal\" must be true or false");
  if (member_ == "min_valid") return refuse("the member \"min_valid\" must be a number");
  return refuse("the member \"" + member_ + "\" must be a string");
}

bool WishReader::number(const std::string& text) {
  if (place_ != Place::object || member_ != "min_valid") return wrong_type();
  const auto seconds = parse_min_valid(text);
  if (!seconds) return refuse(seconds.error().detail);
  request.min_valid = *seconds;
  return true;
}

bool WishReader::string(string_t& value) {
  if (place_ == Place::parameters) {
    if (!request.parameters.emplace(parameter_, std::move(value)).second) {
      return refuse("a member of \"parameters\" is there twice");
    }
    return true;
  }
  if (place_ == Place::resources || (place_ == Place::object && member_ == "resource")) {
    if (!value.empty()) request.resource.push_back(std::move(value));
    return true;
  }
  if (place_ != Place::object) return wrong_type();
  if (member_ == "scope") {
    request.scope = std::move(value);
  } else if (member_ == "audience") {
    request.audience = std::move(value);
  } else if (member_ == "rejected") {
    request.rejected = std::move(value);
  } else if (member_ == "assertion") {
    request.assertion = common::Secret{value};
  } else {
    return wrong_type();
  }
  return true;
}

bool WishReader::start_object(std::size_t) {
  if (place_ == Place::outside) {
    place_ = Place::object;
  } else if (place_ == Place::object && member_ == "parameters") {
    place_ = Place::parameters;
  } else {
    return wrong_type();
  }
  return true;
}

bool WishReader::key(string_t& name) {
  if (place_ == Place::parameters) {
    parameter_ = std::move(name);
    return true;
  }
  static const std::set<std::string, std::less<>> known{
      "scope", "resource", "audience", "parameters", "assertion", "min_valid", "force_renewal", "rejected"};
  if (!known.contains(name)) {
    if (name.size() > longest_quoted_name) return refuse("the body has an unknown member");
    return refuse("the member \"" + name + "\" is unknown");
  }
  if (!seen_.insert(name).second) return refuse("the member \"" + name + "\" is there twice");
  member_ = std::move(name);
  return true;
}

}  // namespace

common::Result<CallerRequest> parse_token_json(std::string_view text) {
  if (text.empty()) return CallerRequest{};
  WishReader reader;
  if (!json::sax_parse(text.begin(), text.end(), &reader)) {
    return fail(ErrorCode::invalid_request, std::move(reader.error));
  }
  return std::move(reader.request);
}

}  // namespace grantd::daemon
