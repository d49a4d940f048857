#include "common/log.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <array>

#include "common/unique_fd.hpp"

using grantd::common::format_log_line;
using grantd::common::LogLevel;

TEST_CASE("log: a line is a priority, the event and its fields") {
  CHECK(
      format_log_line(LogLevel::info, "token_fetched", {{"client", "catalog.client"}, {"expires_in", 300}}) ==
      "<6>event=token_fetched client=catalog.client expires_in=300\n");
  CHECK(format_log_line(LogLevel::error, "x", {}) == "<3>event=x\n");
}

TEST_CASE("log: values that could be mistaken for structure are quoted as JSON") {
  CHECK(format_log_line(LogLevel::info, "e", {{"a", "two words"}}) == "<6>event=e a=\"two words\"\n");
  CHECK(format_log_line(LogLevel::info, "e", {{"a", "x=y\"\n"}}) == "<6>event=e a=\"x=y\\\"\\u000a\"\n");
  CHECK(format_log_line(LogLevel::info, "e", {{"a", ""}}) == "<6>event=e a=\"\"\n");
}

TEST_CASE("log: a reader that never reads does not hold up the writer, and the loss is told") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  ::signal(SIGPIPE, SIG_IGN);
  const grantd::common::UniqueFd writer{ends[1]};
  grantd::common::StreamLogger log{writer.get()};
  const grantd::common::UniqueFd reader{
      ends[0]};  // gone before the logger, which then has nothing to wait for
  const std::string long_value(1000, 'x');
  for (int i = 0; i < 20000; ++i) log.info("flood", {{"value", long_value}});
  std::string all;
  std::array<char, 65536> buffer{};
  while (all.find("log_lines_dropped") == std::string::npos) {
    log.info("after");
    const ssize_t got = ::read(reader.get(), buffer.data(), buffer.size());
    REQUIRE(got > 0);
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  CHECK(all.find("event=log_lines_dropped count=") != std::string::npos);
}

TEST_CASE("log: lines below the level are left out") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const grantd::common::UniqueFd reader{ends[0]};
  grantd::common::UniqueFd writer{ends[1]};
  {
    grantd::common::StreamLogger log{writer.get()};
    log.debug("hidden");
    log.set_level(LogLevel::debug);
    log.debug("shown");
  }
  writer.reset();
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(reader.get(), buffer.data(), buffer.size());
  REQUIRE(got > 0);
  CHECK(std::string(buffer.data(), static_cast<std::size_t>(got)) == "<7>event=shown\n");
}
