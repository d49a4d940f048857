// One list of members serves both directions, so that what is written and what is read cannot differ. A
// change of it needs another version of the memory's layout.
#include "daemon/kept/token_record.hpp"

#include <cstring>

namespace grantd::daemon {
namespace {

class Writer {
 public:
  bool value(std::string_view text) {
    number(text.size());
    bytes_.append(text);
    return true;
  }
  bool value(const common::Secret& secret) { return value(secret.reveal()); }
  bool value(const std::vector<std::string>& list) {
    number(list.size());
    for (const std::string& item : list) value(item);
    return true;
  }
  bool value(const std::map<std::string, std::string>& map) {
    number(map.size());
    for (const auto& [name, text] : map) {
      value(name);
      value(text);
    }
    return true;
  }
  bool value(const Variant& variant) {
    return value(variant.scope) && value(variant.resource) && value(variant.audience) &&
           value(variant.parameters);
  }
  bool value(TokenType type) { return number(static_cast<std::uint64_t>(type)); }
  template <class TimePoint>
    requires requires { typename TimePoint::clock; }
  bool value(TimePoint time) {
    return number(static_cast<std::uint64_t>(std::chrono::nanoseconds{time.time_since_epoch()}.count()));
  }
  common::Secret take() { return std::move(bytes_); }

 private:
  bool number(std::uint64_t number) {
    bytes_.append({reinterpret_cast<const char*>(&number), sizeof number});
    return true;
  }
  common::Secret bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool value(std::string& text) {
    std::string_view found;
    if (!piece(found)) return false;
    text = found;
    return true;
  }
  bool value(common::Secret& secret) {
    std::string_view found;
    if (!piece(found)) return false;
    secret = common::Secret{found};
    return true;
  }
  bool value(std::vector<std::string>& list) {
    std::uint64_t count = 0;
    if (!number(count)) return false;
    for (; count > 0; --count) {
      if (!value(list.emplace_back())) return false;
    }
    return true;
  }
  bool value(std::map<std::string, std::string>& map) {
    std::uint64_t count = 0;
    if (!number(count)) return false;
    for (; count > 0; --count) {
      std::string name;
      if (!value(name) || !value(map[name])) return false;
    }
    return true;
  }
  bool value(Variant& variant) {
    return value(variant.scope) && value(variant.resource) && value(variant.audience) &&
           value(variant.parameters);
  }
  bool value(TokenType& type) {
    std::uint64_t found = 0;
    if (!number(found) || found > static_cast<std::uint64_t>(TokenType::dpop)) return false;
    type = static_cast<TokenType>(found);
    return true;
  }
  template <class TimePoint>
    requires requires { typename TimePoint::clock; }
  bool value(TimePoint& time) {
    std::uint64_t found = 0;
    if (!number(found)) return false;
    const std::chrono::nanoseconds since{static_cast<std::int64_t>(found)};
    time = TimePoint{std::chrono::duration_cast<typename TimePoint::duration>(since)};
    return true;
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  bool number(std::uint64_t& number) {
    if (bytes_.size() < sizeof number) return false;
    std::memcpy(&number, bytes_.data(), sizeof number);
    bytes_.remove_prefix(sizeof number);
    return true;
  }
  bool piece(std::string_view& found) {
    std::uint64_t size = 0;
    if (!number(size) || bytes_.size() < size) return false;
    found = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }
  std::string_view bytes_;
};

template <class Direction, class Record>
bool members(Direction& with, Record& record) {
  using Kind = TokenRecord::Kind;
  auto all = [&with](auto&... member) { return (with.value(member) && ...); };
  if (!all(record.client, record.fingerprint.definition, record.fingerprint.credential,
           record.key_thumbprint))
    return false;
  switch (record.kind) {
    case Kind::token:
      return all(record.variant, record.secret, record.type, record.scope, record.version,
                 record.access_token_hash, record.obtained, record.expires, record.expires_wall);
    case Kind::binding:
      return all(record.version, record.access_token_hash, record.expires);
    case Kind::dpop_key:
      return all(record.algorithm, record.secret);
    case Kind::page:
      return all(record.variant, record.version, record.access, record.name);
  }
  return false;
}

}  // namespace

common::Secret encode(const TokenRecord& record) {
  Writer writer;
  members(writer, record);
  return writer.take();
}

std::optional<TokenRecord> decode_token_record(std::uint32_t kind, std::string_view bytes) {
  TokenRecord record{.kind = static_cast<TokenRecord::Kind>(kind)};
  Reader reader{bytes};
  if (!members(reader, record) || !reader.at_end()) return std::nullopt;
  return record;
}

}  // namespace grantd::daemon
