#include "daemon/oauth/json_members.hpp"

#include <doctest/doctest.h>

#include <string>

using grantd::daemon::JsonMembers;
using grantd::daemon::JsonValue;

namespace {

bool is_object(std::string_view json) { return JsonMembers::parse(json, {"a"}).has_value(); }

}  // namespace

TEST_CASE("json members: the top-level members that were asked for, and what they are") {
  const auto members = JsonMembers::parse(
      R"({"s":"text","n":1.5,"i":-3,"u":7,"z":null,"t":true,"o":{"s":"inner"},"l":["x","y"],"m":["x",1],"e":[]})",
      {"s", "n", "i", "u", "z", "t", "o", "l", "m", "e", "absent"});
  REQUIRE(members);
  CHECK(members->string("s") == "text");
  CHECK((*members)["n"].number == 1.5);
  CHECK((*members)["i"].number == -3);
  CHECK((*members)["u"].number == 7);
  CHECK((*members)["z"].kind == JsonValue::Kind::null);
  CHECK((*members)["t"].kind == JsonValue::Kind::other);
  CHECK((*members)["o"].kind == JsonValue::Kind::other);
  CHECK((*members)["l"].kind == JsonValue::Kind::strings);
  CHECK((*members)["l"].text.reveal() == "x y");
  CHECK((*members)["m"].kind == JsonValue::Kind::other);
  CHECK((*members)["e"].kind == JsonValue::Kind::strings);
  CHECK((*members)["absent"].kind == JsonValue::Kind::absent);
  CHECK(members->string("n").empty());
}

TEST_CASE("json members: a nested member is not taken for a top-level one") {
  const auto members =
      JsonMembers::parse(R"({"o":{"a":"inner"},"l":[{"a":"inner"},["a"]],"b":"a"})", {"a", "l"});
  REQUIRE(members);
  CHECK((*members)["a"].kind == JsonValue::Kind::absent);
  CHECK((*members)["l"].kind == JsonValue::Kind::other);
}

TEST_CASE("json members: of a name that stands there twice the last counts") {
  const auto members = JsonMembers::parse(R"({"a":["x"],"a":"one","a":"two"})", {"a"});
  REQUIRE(members);
  CHECK(members->string("a") == "two");
}

TEST_CASE("json members: what is no well-formed object is refused") {
  for (const char* json :
       {"", " ", "null", "5", "\"a\"", "[]", "[{}]", "{", "{\"a\":}", "{\"a\":1,}", "{} x", "{}{}", "{'a':1}",
        "<html>", "{\"a\":\"\xff\"}", "{\"a\":\"\xc3\"}", "{\"a\":1e999}", "{a:1}"}) {
    CHECK_MESSAGE(!is_object(json), json);
  }
  CHECK(is_object(" {\"a\" : 1e300}\r\n"));
}

TEST_CASE("json members: nesting is limited, whatever the size") {
  const auto nested = [](std::size_t depth) {
    return R"({"b":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  CHECK(is_object(nested(62)));
  CHECK_FALSE(is_object(nested(63)));
  CHECK_FALSE(is_object(nested(500'000)));
  CHECK_FALSE(is_object(std::string(1'000'000, '[')));
}
