#include "daemon/crypto/sealed_box.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "daemon/crypto/sealing_keys.hpp"

using namespace grantd;
using daemon::derive_key;
using daemon::open_sealed;
using daemon::parse_sealing_keys;
using daemon::seal;

namespace {

const std::string zeros(32, '\0');
const std::string nonce(12, '\0');
constexpr std::string_view line = "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += digits[static_cast<unsigned char>(byte) >> 4];
    text += digits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

std::string error_of(std::string_view text) {
  auto keys = parse_sealing_keys(text);
  return keys ? std::to_string(keys->size()) : keys.error();
}

std::string other_key(int number) {
  return std::string(1, static_cast<char>('D' + number)).append(line.substr(1));
}

}  // namespace

TEST_CASE("sealed box: the vector of AES-256-GCM with a block of zeros") {
  const auto sealed = seal(common::Secret{zeros}, nonce, "", std::string(16, '\0'));
  CHECK(hex(sealed.substr(12, 16)) == "cea7403d4d606b6e074ec5d3baf39d18");
  CHECK(hex(sealed.substr(28)) == "d0d1c8a799996bf0265b98b5d48ab919");
  CHECK(open_sealed(common::Secret{zeros}, "", sealed)->reveal() == std::string(16, '\0'));
}

TEST_CASE("sealed box: opens with the same key and associated data alone") {
  const auto sealed = seal(common::Secret{zeros}, nonce, "for a", "text");
  CHECK(open_sealed(common::Secret{zeros}, "for a", sealed)->reveal() == "text");
  CHECK_FALSE(open_sealed(common::Secret{zeros}, "for b", sealed));
  CHECK_FALSE(open_sealed(common::Secret{std::string(32, '\1')}, "for a", sealed));
  CHECK_FALSE(open_sealed(common::Secret{zeros}, "for a", sealed.substr(0, 27)));
  CHECK(open_sealed(common::Secret{zeros}, "", seal(common::Secret{zeros}, nonce, "", ""))->empty());
}

TEST_CASE("sealed box: keys and nonces have their size") {
  CHECK_THROWS(seal(common::Secret{"short"}, nonce, "", ""));
  CHECK_THROWS(seal(common::Secret{zeros}, "short", "", ""));
}

TEST_CASE("derive key: the third vector of RFC 5869") {
  CHECK(hex(derive_key(common::Secret{std::string(22, '\x0b')}, "").reveal()) ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

TEST_CASE("derive key: another purpose is another key") {
  const common::Secret secret{zeros};
  CHECK_FALSE(derive_key(secret, "a").same_as(derive_key(secret, "b")));
}

TEST_CASE("sealing keys: lines of 32 bytes in base64, with or without an end") {
  const std::string one{line};
  CHECK(error_of(one) == "1");
  CHECK(error_of(one + "\n") == "1");
  CHECK(error_of(one + "\r\n\n" + other_key(0) + "\n") == "2");
  CHECK(error_of(" " + one + "\t\n  \n") == "1");
  const auto keys = parse_sealing_keys(one);
  CHECK(keys->front().name_key.size() == 32);
  CHECK_FALSE(keys->front().name_key.same_as(keys->front().seal_key));
}

TEST_CASE("sealing keys: what is none is told by its line, and not repeated") {
  const std::string one{line};
  CHECK(error_of("") == "holds no key");
  CHECK(error_of("\n\n") == "holds no key");
  for (const std::string& wrong :
       std::vector<std::string>{"secret", "AAAA", one.substr(1), one + one, one + " " + one}) {
    const std::string error = error_of(one + "\n" + wrong + "\n");
    CAPTURE(error);
    CHECK(error.starts_with("holds in line 2 something else than 32 bytes in base64"));
    CHECK(error.find(wrong) == std::string::npos);
  }
  std::string many;
  for (int i = 0; i < 17; ++i) many += other_key(i) + "\n";
  CHECK(error_of(many) == "holds more than 16 keys");
}

TEST_CASE("sealing keys: one that stands there twice, or is all zeros, is refused") {
  const std::string one{line};
  CHECK(error_of(one + "\n" + other_key(0) + "\n\n" + one) ==
        "holds in line 4 a key that stands above already");
  CHECK(error_of(one + "\nA" + one.substr(1)) == "holds in line 2 a key of zeros, which is none");
}
