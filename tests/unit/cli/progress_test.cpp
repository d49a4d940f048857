#include "cli/progress.hpp"

#include <doctest/doctest.h>

using namespace grantd::cli;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

}  // namespace

TEST_CASE("progress: tells how much of how much, how fast, and for how long still") {
  CHECK(progress_line({.done = 30 * mebibyte, .total = 120 * mebibyte, .elapsed = 3s}, 80) ==
        "30.0 MiB of 120.0 MiB  25 %  [======                    ]  10.0 MiB/s  0:09 left");
}

TEST_CASE("progress: without a total there is no bar and no end") {
  CHECK(progress_line({.done = 1536, .total = {}, .elapsed = 2s}, 80) == "1.5 KiB  768 B/s");
}

TEST_CASE("progress: fits into the line, whatever its width") {
  for (std::size_t columns = 0; columns < 120; ++columns) {
    CAPTURE(columns);
    const auto line = progress_line({.done = mebibyte, .total = 2 * mebibyte, .elapsed = 1s}, columns);
    CHECK(line.size() <= columns);
    CHECK((line.find('[') != std::string::npos) == (columns >= 60));
  }
}

TEST_CASE("progress: odd numbers do no harm") {
  CHECK(progress_line({.done = 0, .total = 0, .elapsed = 0ms}, 80) == "0 B  0 B/s");
  const auto endless = progress_line({.done = 0, .total = UINT64_MAX, .elapsed = 1ms}, 200);
  CHECK(endless.find("0 %") != std::string::npos);
  CHECK(endless.ends_with("99:59:59 left"));
  CHECK(progress_line({.done = 3 * mebibyte, .total = mebibyte, .elapsed = 1s}, 80).find("100 %") !=
        std::string::npos);
  CHECK(progress_line({.done = 1, .total = mebibyte, .elapsed = 100s}, 120).find("left") !=
        std::string::npos);
}
