#include "daemon/cache/bound_tokens.hpp"

#include <doctest/doctest.h>

using namespace grantd;
using namespace std::chrono_literals;

TEST_CASE("bound tokens: a version is known until its token expires, replaced or not") {
  daemon::BoundTokens tokens;
  const auto at = [](auto time) { return common::BootTime{time}; };
  const auto first = std::make_shared<const daemon::TokenBinding>();
  const auto second = std::make_shared<const daemon::TokenBinding>();
  tokens.add("v1", first, at(10s), at(0s));
  tokens.add("v2", second, at(20s), at(5s));
  tokens.add("bearer", nullptr, at(20s), at(5s));
  CHECK(tokens.find("v1", at(9s)) == first);
  CHECK(tokens.find("v1", at(10s)) == nullptr);
  CHECK(tokens.find("v2", at(19s)) == second);
  CHECK(tokens.find("bearer", at(6s)) == nullptr);
  CHECK(tokens.find("v3", at(6s)) == nullptr);
}

TEST_CASE("bound tokens: what has expired is let go") {
  daemon::BoundTokens tokens;
  auto binding = std::make_shared<const daemon::TokenBinding>();
  const std::weak_ptr<const daemon::TokenBinding> gone = binding;
  tokens.add("v1", std::move(binding), common::BootTime{1s}, common::BootTime{0s});
  tokens.add("v2", std::make_shared<const daemon::TokenBinding>(), common::BootTime{9s},
             common::BootTime{1s});
  CHECK(gone.expired());
}
