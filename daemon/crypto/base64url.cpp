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

using Digits = std::array<std::int8_t, 256>;

constexpr Digits digits_of(std::string_view alphabet) {
  Digits digits{};
  digits.fill(no_digit);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    digits[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return digits;
}

constexpr Digits url_digits = digits_of(url_alphabet);
constexpr Digits standard_digits = digits_of(standard_alphabet);

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

std::optional<common::Secret> decode(std::string_view text, const Digits& digits) {
  common::Secret bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const auto digit = digits[static_cast<unsigned char>(c)];
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

std::optional<common::Secret> base64url_decode(std::string_view text) { return decode(text, url_digits); }

std::optional<common::Secret> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return decode(text, standard_digits);
}

}  // namespace grantd::daemon
