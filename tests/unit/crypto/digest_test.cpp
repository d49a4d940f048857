#include "daemon/crypto/digest.hpp"

#include <doctest/doctest.h>

#include <string>

namespace {

std::string hex_digest(std::string_view text) {
  std::string hex;
  for (const std::byte byte : grantd::daemon::sha256(text)) {
    constexpr std::string_view digits = "0123456789abcdef";
    hex += digits[std::to_integer<unsigned>(byte) >> 4];
    hex += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return hex;
}

}  // namespace

TEST_CASE("sha256: the examples of FIPS 180") {
  CHECK(hex_digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex_digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("sha256: parts give the digest of the whole") {
  CHECK(grantd::daemon::sha256({"a", "", "bc"}) == grantd::daemon::sha256("abc"));
}
