#include "common/secret.hpp"

#include <doctest/doctest.h>

#include <ostream>
#include <type_traits>

using grantd::common::Secret;

template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };

TEST_CASE("secret: cannot be printed, copied or turned into a string by accident") {
  static_assert(!Printable<Secret>);
  static_assert(!std::is_copy_constructible_v<Secret>);
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
  CHECK(Secret{"s3cret"}.reveal() == "s3cret");
}

TEST_CASE("secret: comparison sees every difference") {
  CHECK(Secret{"abc"}.same_as(Secret{"abc"}));
  CHECK_FALSE(Secret{"abc"}.same_as(Secret{"abd"}));
  CHECK_FALSE(Secret{"abc"}.same_as(Secret{"abcd"}));
  CHECK(Secret{}.same_as(Secret{""}));
}
