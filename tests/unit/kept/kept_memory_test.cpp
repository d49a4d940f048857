#include "daemon/kept/kept_memory.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <set>

using namespace grantd;
using daemon::KeptMemory;

namespace {

KeptMemory made() {
  auto memory = KeptMemory::create();
  REQUIRE(memory);
  return std::move(*memory);
}

common::UniqueFd held(const KeptMemory& memory) { return common::UniqueFd{::dup(memory.descriptor())}; }

// What the next process finds.
std::multiset<std::string> found(KeptMemory& memory) {
  std::multiset<std::string> payloads;
  for (const auto& record : memory.records()) payloads.emplace(record.payload);
  return payloads;
}

std::multiset<std::string> next_process(const KeptMemory& memory) {
  auto opened = KeptMemory::open(held(memory));
  REQUIRE(opened);
  return found(*opened);
}

std::size_t size_of(const KeptMemory& memory) {
  struct stat about{};
  REQUIRE(::fstat(memory.descriptor(), &about) == 0);
  return static_cast<std::size_t>(about.st_size);
}

std::string everything(const KeptMemory& memory) {
  std::string bytes(size_of(memory), '\0');
  REQUIRE(::pread(memory.descriptor(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return bytes;
}

void overwrite(const KeptMemory& memory, std::size_t at, std::string_view bytes) {
  REQUIRE(::pwrite(memory.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(at)) ==
          static_cast<ssize_t>(bytes.size()));
}

}  // namespace

TEST_CASE("kept memory: the next process finds what was written, and nothing that was wiped") {
  auto memory = made();
  memory.write(1, "first", 0);
  const auto second = memory.write(2, "second", 5);
  REQUIRE(second);
  memory.write(3, std::string(5000, 'x'), 0);
  memory.wipe(*second);
  CHECK(next_process(memory) == std::multiset<std::string>{"first", std::string(5000, 'x')});
  CHECK(everything(memory).find("second") == std::string::npos);
}

TEST_CASE("kept memory: kind and flags come back, flags as they were set last") {
  auto memory = made();
  const auto place = memory.write(7, "payload", 1);
  memory.set_flags(*place, 6);
  auto opened = KeptMemory::open(held(memory));
  const auto records = opened->records();
  REQUIRE(records.size() == 1);
  CHECK(records[0].kind == 7);
  CHECK(records[0].flags == 6);
}

TEST_CASE("kept memory: renewing for ever takes no more room") {
  auto memory = made();
  auto place = memory.write(1, std::string(900, 'a'), 0);
  for (int i = 0; i < 10'000; ++i) {
    const auto next = memory.write(1, std::string(900 + static_cast<std::size_t>(i % 40), 'b'), 0);
    memory.wipe(*place);
    place = next;
  }
  CHECK(size_of(memory) == 64 * 1024);
  CHECK(next_process(memory).size() == 1);
}

TEST_CASE("kept memory: grows with what is written, and all of it is found") {
  auto memory = made();
  std::multiset<std::string> all;
  for (int i = 0; i < 1000; ++i) {
    all.insert("token " + std::to_string(i) + std::string(static_cast<std::size_t>(i), '.'));
    REQUIRE(memory.write(1, "token " + std::to_string(i) + std::string(static_cast<std::size_t>(i), '.'), 0));
  }
  CHECK(next_process(memory) == all);
}

TEST_CASE("kept memory: room that another process left free is used again") {
  auto memory = made();
  for (int i = 0; i < 50; ++i) memory.wipe(*memory.write(1, std::string(900, 'a'), 0));
  auto opened = KeptMemory::open(held(memory));
  REQUIRE(found(*opened).empty());
  for (int i = 0; i < 50; ++i) REQUIRE(opened->write(1, std::string(900, 'b'), 0));
  CHECK(size_of(memory) == 64 * 1024);
}

TEST_CASE("kept memory: nobody can shrink it, map it to execute, or change its seals") {
  const auto memory = made();
  CHECK(::ftruncate(memory.descriptor(), 0) == -1);
  CHECK(::fcntl(memory.descriptor(), F_ADD_SEALS, F_SEAL_WRITE) == -1);
  struct stat about{};
  REQUIRE(::fstat(memory.descriptor(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
}

TEST_CASE("kept memory: a record with a flipped bit is dropped, the others stay") {
  auto memory = made();
  memory.write(1, "first", 0);
  memory.write(1, "second", 0);
  const auto at = everything(memory).find("first");
  for (const std::size_t offset : {at, at - 64 + 8, at - 64 + 24, at - 1}) {
    auto copy = made();
    overwrite(copy, 0, everything(memory));
    const std::string flipped(1, static_cast<char>(everything(copy)[offset] ^ 1));
    overwrite(copy, offset, flipped);
    auto opened = KeptMemory::open(held(copy));
    REQUIRE(opened);
    CHECK(found(*opened) == std::multiset<std::string>{"second"});
    CHECK(opened->damaged() == 1);
    CHECK(everything(copy).find("first") == std::string::npos);
  }
}

TEST_CASE("kept memory: sizes that lead astray end the reading, and the memory can be used on") {
  const auto broken = [](std::size_t offset, std::uint64_t value) {
    auto memory = made();
    memory.write(1, "first", 0);
    memory.write(1, "second", 0);
    overwrite(memory, offset, {reinterpret_cast<const char*>(&value), sizeof value});
    auto opened = KeptMemory::open(held(memory));
    REQUIRE(opened);
    const auto payloads = found(*opened);
    CHECK(opened->damaged() > 0);
    REQUIRE(opened->write(1, "third", 0));
    CHECK(next_process(*opened).contains("third"));
    return payloads;
  };
  constexpr std::size_t record = 64;
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{63}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    CHECK(broken(record + 16, size).empty());
  }
  CHECK(broken(24, 1 << 30).empty());                                                // the end
  CHECK(broken(24, ~std::uint64_t{0}).empty());                                      // the end
  CHECK(broken(record + 256 + 24, 1 << 20) == std::multiset<std::string>{"first"});  // a payload
}

TEST_CASE("kept memory: something else is refused, with what is wrong") {
  const auto error_of = [](common::UniqueFd descriptor) {
    const auto opened = KeptMemory::open(std::move(descriptor));
    return opened ? std::string{} : opened.error();
  };
  CHECK(error_of(common::UniqueFd{::open("/dev/null", O_RDWR)}) == "is no sealed memory of grantd");
  CHECK(error_of(common::UniqueFd{::memfd_create("unsealed", MFD_ALLOW_SEALING)}) ==
        "is no sealed memory of grantd");
  common::UniqueFd empty{::memfd_create("empty", MFD_ALLOW_SEALING)};
  REQUIRE(::ftruncate(empty.get(), 64 * 1024) == 0);
  REQUIRE(::fcntl(empty.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) == 0);
  CHECK(error_of(std::move(empty)) == "is no memory of grantd");
  auto newer = made();
  overwrite(newer, 16, {"\2\0\0\0", 4});
  CHECK(error_of(held(newer)) == "has layout 2, this version reads 1");
}

TEST_CASE("kept memory: a process killed at any moment leaves whole records only") {
  for (int round = 0; round < 50; ++round) {
    auto memory = made();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      // The mapping is not inherited.
      auto mine = KeptMemory::open(held(memory));
      if (!mine) ::_exit(1);
      mine->records();
      std::optional<KeptMemory::Place> before;
      for (std::size_t i = 0;; ++i) {
        const auto next = mine->write(1, std::string(200 + i % 3000, static_cast<char>('a' + i % 26)), 0);
        if (before) mine->wipe(*before);
        before = next;
      }
    }
    // Until it is at work; then at once.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    char state = 0;
    while (state == 0 && std::chrono::steady_clock::now() < deadline) {
      if (::pread(memory.descriptor(), &state, 1, 64 + 4) != 1) break;
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    auto opened = KeptMemory::open(held(memory));
    REQUIRE(opened);
    const auto payloads = found(*opened);
    CHECK(opened->damaged() == 0);
    CHECK(payloads.size() <= 2);
    CHECK(payloads.size() >= 1);
    for (const std::string& payload : payloads) {
      CHECK(payload.find_first_not_of(payload[0]) == std::string::npos);
    }
  }
}
