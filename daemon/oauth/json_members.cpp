// A document is read as events rather than into a tree: a token is then copied once, into wiped memory, and a
// hostile document costs no more than its own size. What the parser itself puts on the heap (its buffer for
// one string, the last word of an error) is wiped by the daemon's operator delete when it is freed.
#include "daemon/oauth/json_members.hpp"

#include <string.h>

#include <nlohmann/json.hpp>
#include <string>

namespace grantd::daemon {

namespace {
constexpr int deepest_nesting = 63;
}

class JsonMembers::Reader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Reader(std::map<std::string_view, JsonValue>& values) : values_(values) {}

  bool null() override { return scalar(JsonValue{.kind = Kind::null}); }
  bool boolean(bool) override { return scalar(JsonValue{.kind = Kind::other}); }
  bool number_integer(number_integer_t value) override { return number(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return number(static_cast<double>(value)); }
  bool number_float(number_float_t value, const string_t&) override { return number(value); }
  bool binary(binary_t&) override { return false; }

  bool string(string_t& value) override {
    const bool going_on = take(value);
    ::explicit_bzero(value.data(), value.size());
    return going_on;
  }
  bool key(string_t& name) override {
    if (depth_ == 1) {
      const auto wanted = values_.find(name);
      current_ = wanted == values_.end() ? nullptr : &wanted->second;
      if (current_ != nullptr) *current_ = JsonValue{};
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (current_ != nullptr) current_->kind = Kind::other;
    return ++depth_ <= deepest_nesting;
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) return false;
    if (current_ != nullptr) current_->kind = depth_ == 1 ? Kind::strings : Kind::other;
    return ++depth_ <= deepest_nesting;
  }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }

  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

 private:
  using Kind = JsonValue::Kind;

  bool end() {
    --depth_;
    return true;
  }

  bool take(std::string_view text) {
    if (depth_ == 2 && current_ != nullptr && current_->kind == Kind::strings) {
      if (!current_->text.empty()) current_->text.append(" ");
      current_->text.append(text);
      return true;
    }
    return scalar(JsonValue{.kind = Kind::string, .text = common::Secret{text}});
  }

  bool number(double value) { return scalar(JsonValue{.kind = Kind::number, .number = value}); }

  bool scalar(JsonValue value) {
    if (depth_ == 0) return false;
    if (current_ == nullptr) return true;
    if (depth_ == 1) {
      *current_ = std::move(value);
    } else {
      current_->kind = Kind::other;
    }
    return true;
  }

  std::map<std::string_view, JsonValue>& values_;
  JsonValue* current_ = nullptr;  // the member whose value is being read, null: nobody asked for it
  int depth_ = 0;
};

std::optional<JsonMembers> JsonMembers::parse(std::string_view json,
                                              std::initializer_list<std::string_view> names) {
  JsonMembers members;
  for (const std::string_view name : names) members.values_.try_emplace(name);
  Reader reader{members.values_};
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) return std::nullopt;
  return members;
}

std::string_view JsonMembers::string(std::string_view name) const {
  const JsonValue& value = values_.at(name);
  return value.kind == JsonValue::Kind::string ? value.text.reveal() : std::string_view{};
}

}  // namespace grantd::daemon
