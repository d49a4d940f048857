#include "daemon/crypto/base64url.hpp"

#include <doctest/doctest.h>

using grantd::daemon::base64_decode;
using grantd::daemon::base64_encode;
using grantd::daemon::base64url_decode;
using grantd::daemon::base64url_encode;

namespace {

std::string encoded(std::string_view text) { return base64url_encode(std::as_bytes(std::span{text})); }

std::string decoded(std::string_view text) {
  const auto bytes = base64url_decode(text);
  return bytes ? std::string{bytes->reveal()} : "refused";
}

}  // namespace

TEST_CASE("base64url: the vectors of RFC 4648 section 10, without their padding") {
  CHECK(encoded("") == "");
  CHECK(encoded("f") == "Zg");
  CHECK(encoded("fo") == "Zm8");
  CHECK(encoded("foo") == "Zm9v");
  CHECK(encoded("foob") == "Zm9vYg");
  CHECK(encoded("fooba") == "Zm9vYmE");
  CHECK(encoded("foobar") == "Zm9vYmFy");
}

TEST_CASE("base64url: the last two digits are - and _") {
  CHECK(encoded("\xfb\xff\xbf") == "-_-_");
  CHECK(decoded("-_-_") == "\xfb\xff\xbf");
  CHECK(base64_encode("\xfb\xff\xbf").reveal() == "+/+/");
}

TEST_CASE("base64url: every byte survives encoding and decoding") {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (std::size_t size = 0; size <= all.size(); ++size) {
    CHECK(decoded(encoded(all.substr(0, size))) == all.substr(0, size));
  }
}

TEST_CASE("base64url: what an encoder never writes is refused") {
  for (const char* text : {"A", "AAAAA", "Zg==", "Zm8=", "Zm9v\n", " Zm9v", "Zm+v", "Zm/v", "Zm9.", "Z",
                           "Zm9vY", "Zh", "Zm9", "Zm9v=", "\x80\x80\x80\x80"}) {
    CHECK_MESSAGE(decoded(text) == "refused", text);
  }
  CHECK(decoded(std::string_view{"Zm\0v", 4}) == "refused");
}

TEST_CASE("base64: Basic credentials are padded") {
  CHECK(base64_encode("").reveal() == "");
  CHECK(base64_encode("f").reveal() == "Zg==");
  CHECK(base64_encode("fo").reveal() == "Zm8=");
  CHECK(base64_encode("foo").reveal() == "Zm9v");
  CHECK(base64_encode("Aladdin:open sesame").reveal() == "QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST_CASE("base64: padded text of the standard alphabet, and nothing else, is decoded") {
  CHECK(base64_decode("")->reveal().empty());
  CHECK(base64_decode("Zg==")->reveal() == "f");
  CHECK(base64_decode("Zm8=")->reveal() == "fo");
  CHECK(base64_decode("+/+/")->reveal() == "\xfb\xff\xbf");
  for (const char* text : {"Zg", "Zg=", "Zg===", "Zh==", "-_-_", "=", "====", "Zm9v\n", "Z===", "Zg==Zg=="}) {
    CAPTURE(text);
    CHECK_FALSE(base64_decode(text));
  }
}
