// The daemon's answers are small flat objects; reading them here keeps the library free of dependencies and
// lets every copy of a token be wiped, which no general JSON library offers.
#include "client-lib/src/json.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/ascii.hpp"

namespace grantd::detail {
namespace {

constexpr int max_depth = 32;

void append_utf8(common::Secret& out, std::uint32_t point) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  if (point < 0x80) {
    const std::array bytes{byte(point)};
    out.append({bytes.data(), bytes.size()});
  } else if (point < 0x800) {
    const std::array bytes{byte(0xc0 | (point >> 6)), byte(0x80 | (point & 0x3f))};
    out.append({bytes.data(), bytes.size()});
  } else if (point < 0x10000) {
    const std::array bytes{byte(0xe0 | (point >> 12)), byte(0x80 | ((point >> 6) & 0x3f)),
                           byte(0x80 | (point & 0x3f))};
    out.append({bytes.data(), bytes.size()});
  } else {
    const std::array bytes{byte(0xf0 | (point >> 18)), byte(0x80 | ((point >> 12) & 0x3f)),
                           byte(0x80 | ((point >> 6) & 0x3f)), byte(0x80 | (point & 0x3f))};
    out.append({bytes.data(), bytes.size()});
  }
}

// Length of the well-formed UTF-8 sequence (RFC 3629) at the front of `text`; 0 where there is none.
std::size_t utf8_length(std::string_view text) {
  const auto at = [text](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto continues = [&](std::size_t from, std::size_t count) {
    for (std::size_t i = from; i < from + count; ++i) {
      if ((at(i) & 0xc0) != 0x80) return false;
    }
    return true;
  };
  const unsigned first = at(0);
  const unsigned second = at(1);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1, 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && second < 0xa0;
    const bool surrogate = first == 0xed && second > 0x9f;
    return continues(1, 2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && second < 0x90;
    const bool beyond = first == 0xf4 && second > 0x8f;
    return continues(1, 3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool read(const std::function<void(const JsonMember&)>& take) {
    skip_white();
    if (!object(0, &take)) return false;
    skip_white();
    return text_.empty();
  }

 private:
  void skip_white() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t\r\n"), text_.size())); }

  bool next_is(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool word(std::string_view expected) {
    if (!text_.starts_with(expected)) return false;
    text_.remove_prefix(expected.size());
    return true;
  }

  std::size_t digits() {
    const auto count = std::min(text_.find_first_not_of("0123456789"), text_.size());
    text_.remove_prefix(count);
    return count;
  }

  bool number() {
    next_is('-');
    if (!next_is('0') && digits() == 0) return false;
    if (next_is('.') && digits() == 0) return false;
    if (next_is('e') || next_is('E')) {
      if (!next_is('+')) next_is('-');
      if (digits() == 0) return false;
    }
    return true;
  }

  std::optional<std::uint32_t> hex4() {
    if (text_.size() < 4) return std::nullopt;
    std::uint32_t value = 0;
    for (const char c : text_.substr(0, 4)) {
      const int digit = ascii::hex_value(c);
      if (digit < 0) return std::nullopt;
      value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    text_.remove_prefix(4);
    return value;
  }

  bool unicode_escape(common::Secret& out) {
    auto point = hex4();
    if (!point || (*point >= 0xdc00 && *point <= 0xdfff)) return false;
    if (*point >= 0xd800 && *point <= 0xdbff) {
      if (!word("\\u")) return false;
      const auto low = hex4();
      if (!low || *low < 0xdc00 || *low > 0xdfff) return false;
      point = 0x10000 + ((*point - 0xd800) << 10) + (*low - 0xdc00);
    }
    append_utf8(out, *point);
    return true;
  }

  bool escape(common::Secret& out) {
    if (text_.empty()) return false;
    const char c = text_.front();
    text_.remove_prefix(1);
    constexpr std::string_view escaped = "\"\\/bfnrt";
    constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
    if (c == 'u') return unicode_escape(out);
    const auto i = escaped.find(c);
    if (i == std::string_view::npos) return false;
    out.append(meant.substr(i, 1));
    return true;
  }

  bool string(common::Secret& out) {
    if (!next_is('"')) return false;
    while (true) {
      std::size_t plain = 0;
      while (plain < text_.size() && text_[plain] != '"' && text_[plain] != '\\') {
        if (static_cast<unsigned char>(text_[plain]) < 0x20) return false;
        const std::size_t length = utf8_length(text_.substr(plain));
        if (length == 0) return false;
        plain += length;
      }
      out.append(text_.substr(0, plain));
      text_.remove_prefix(plain);
      if (next_is('"')) return true;
      if (!next_is('\\') || !escape(out)) return false;
    }
  }

  std::optional<JsonKind> value(int depth, common::Secret& decoded) {
    if (depth > max_depth || text_.empty()) return std::nullopt;
    const auto only_if = [](bool good, JsonKind kind) { return good ? std::optional{kind} : std::nullopt; };
    switch (text_.front()) {
      case '"':
        return only_if(string(decoded), JsonKind::string);
      case '{':
        return only_if(object(depth, nullptr), JsonKind::object);
      case '[':
        return only_if(array(depth), JsonKind::array);
      case 't':
        return only_if(word("true"), JsonKind::boolean);
      case 'f':
        return only_if(word("false"), JsonKind::boolean);
      case 'n':
        return only_if(word("null"), JsonKind::null);
      default:
        return only_if(number(), JsonKind::number);
    }
  }

  bool array(int depth) {
    next_is('[');
    skip_white();
    if (next_is(']')) return true;
    while (true) {
      common::Secret ignored;
      if (!value(depth + 1, ignored)) return false;
      skip_white();
      if (next_is(']')) return true;
      if (!next_is(',')) return false;
      skip_white();
    }
  }

  bool object(int depth, const std::function<void(const JsonMember&)>* take) {
    if (!next_is('{')) return false;
    skip_white();
    if (next_is('}')) return true;
    while (true) {
      common::Secret name;
      if (!string(name)) return false;
      skip_white();
      if (!next_is(':')) return false;
      skip_white();
      const auto from = text_;
      common::Secret decoded;
      const auto kind = value(depth + 1, decoded);
      if (!kind) return false;
      if (take) {
        const auto raw = from.substr(0, from.size() - text_.size());
        (*take)({.name = name.reveal(),
                 .kind = *kind,
                 .text = *kind == JsonKind::string ? decoded.reveal() : raw});
      }
      skip_white();
      if (next_is('}')) return true;
      if (!next_is(',')) return false;
      skip_white();
    }
  }

  std::string_view text_;
};

}  // namespace

bool read_json_object(std::string_view text, const std::function<void(const JsonMember&)>& take) {
  return Reader{text}.read(take);
}

void append_json_string(common::Secret& out, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  out.append("\"");
  while (!text.empty()) {
    const auto plain = static_cast<std::size_t>(
        std::ranges::find_if(
            text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }) -
        text.begin());
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const auto byte = static_cast<unsigned char>(text.front());
    if (byte < 0x20) {
      const std::array escaped{'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
      out.append({escaped.data(), escaped.size()});
    } else {
      const std::array escaped{'\\', text.front()};
      out.append({escaped.data(), escaped.size()});
    }
    text.remove_prefix(1);
  }
  out.append("\"");
}

}  // namespace grantd::detail
