#include "common/syntax.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace grantd;

TEST_CASE("ascii: classes and case know no locale, and no byte above 0x7f") {
  std::string upper, lower, hex, printable, control;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (ascii::to_lower(c) != c) upper += c;
    if (ascii::is_letter(c) && ascii::to_lower(c) == c) lower += c;
    if (ascii::hex_value(c) >= 0) hex += c;
    if (ascii::is_printable(c)) printable += c;
    if (ascii::is_control(c)) control += c;
  }
  CHECK(upper == "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  CHECK(lower == "abcdefghijklmnopqrstuvwxyz");
  CHECK(hex == "0123456789ABCDEFabcdef");
  CHECK(printable.size() == 95);
  CHECK(control.size() == 33);
  CHECK(ascii::hex_value('F') == 15);
  CHECK(ascii::hex_value('0') == 0);
}

TEST_CASE("ascii: comparisons without case look at the whole of both texts") {
  CHECK(ascii::equal_ignoring_case("Grantd-Scope", "gRANTD-sCOPE"));
  CHECK_FALSE(ascii::equal_ignoring_case("Grantd", "Grantd-"));
  CHECK_FALSE(ascii::equal_ignoring_case("\xc3\x84", "\xc3\xa4"));
  CHECK(ascii::starts_with_ignoring_case("GRANTD-x", "Grantd-"));
  CHECK_FALSE(ascii::starts_with_ignoring_case("Grant", "Grantd-"));
  CHECK(ascii::less_ignoring_case("a", "B"));
  CHECK_FALSE(ascii::less_ignoring_case("B", "a"));
  CHECK_FALSE(ascii::less_ignoring_case("Ab", "aB"));
}

TEST_CASE("syntax: tokens and field values are those of RFC 9110") {
  CHECK(syntax::is_token("X-Odd!#$%&'*+-.^_`|~9"));
  for (const char* wrong : {"", "a b", "a:b", "a(b", "a\tb", "a\"b", "\xc3\xa4"})
    CHECK_FALSE(syntax::is_token(wrong));
  CHECK(syntax::is_field_value("any \t text, \xc3\xa4 too"));
  for (const std::string_view wrong : {std::string_view{"a\rb"}, {"a\nb"}, {"a\0b", 3}, {"a\x7f"}})
    CHECK_FALSE(syntax::is_field_value(wrong));
}

TEST_CASE("names of clients and APIs: 1 to 128 letters, digits, dots, underscores and hyphens") {
  CHECK(syntax::is_definition_name("catalog.client"));
  CHECK(syntax::is_definition_name("A-_.9"));
  CHECK(syntax::is_definition_name(std::string(128, 'x')));
  for (const char* wrong : {"", ".", "..", "a/b", "a b", "\xc3\xa4", "a%2e", "a:b"}) {
    CAPTURE(wrong);
    CHECK_FALSE(syntax::is_definition_name(wrong));
  }
  CHECK_FALSE(syntax::is_definition_name(std::string(129, 'x')));
}
