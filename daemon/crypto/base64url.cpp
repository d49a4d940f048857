// Written by hand because what passes through here is secret: OpenSSL's encoder adds line breaks or NULs and
// its decoder forgives what a strict reader must refuse, and neither works on memory that is wiped.
#include "daemon/crypto/base64url.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace grantd::daemon {

namespace {

constexpr std::string_view url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view standard_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::int8_t no_digit = -1;

constexpr std::array<std::int8_t, 256> url_digits = [] {
  std::array<std::int8_t, 256> digits{};
  digits.fill(no_digit);
  for (std::size_t i = 0; i < url_alphabet.size(); ++i) {
    digits[static_cast<unsigned char>(url_alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return digits;
}();

// Calls `put` with each character. Up to three bytes make a group of one character more than there are bytes.
template <class Byte, class Put>
void encode(std::span<const Byte> bytes, std::string_view alphabet, bool pad, Put put) {
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(bytes.size() - i, 3);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < left ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j <= left; ++j) put(alphabet[group >> (18 - 6 * j) & 63]);
    for (std::size_t j = left; pad && j < 3; ++j) put('=');
  }
}

}  // namespace

std::string base64url_encode(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  encode(bytes, url_alphabet, false, [&text](char c) { text += c; });
  return text;
}

common::Secret base64_encode(std::string_view bytes) {
  common::Secret text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  encode(std::span{bytes}, standard_alphabet, true, [&text](char c) { text.append({&c, 1}); });
  return text;
}

std::optional<common::Secret> base64url_decode(std::string_view text) {
  common::Secret bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const auto digit = url_digits[static_cast<unsigned char>(c)];
    if (digit == no_digit) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    const char byte = static_cast<char>(bits >> held & 0xff);
    bytes.append({&byte, 1});
    bits &= (1U << held) - 1;
  }
  if (held == 6 || bits != 0) return std::nullopt;
  return bytes;
}

}  // namespace grantd::daemon
