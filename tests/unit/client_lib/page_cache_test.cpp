#include "client-lib/src/page_cache.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "client-lib/src/coarse_deadline.hpp"
#include "client-lib/src/token_call.hpp"
#include "tests/unit/client_lib/page_fixture.hpp"

using namespace grantd;
using namespace std::chrono_literals;
using detail::CoarseDeadline;
using detail::PageCache;
using detail::PageKey;
using detail::PageSlot;
using detail::SlotReading;
using tests::is_uniform;
using tests::keep;
using tests::passed;
using tests::token_of;
using tests::WrittenPage;

namespace {

std::string found(PageCache& cache, std::string_view key = "a",
                  std::int64_t min_valid = PageSlot::usual_validity) {
  const auto token = token_of(cache, key, min_valid);
  return token ? std::string{token->value()} : std::string{"none"};
}

constexpr std::int64_t seconds(std::int64_t count) { return count * 1'000'000'000; }

// Shared mappings of pages in this process.
std::size_t mappings_of_pages() {
  std::ifstream maps{"/proc/self/maps"};
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);)
    count += line.find("r--s") != std::string::npos && line.find("memfd:page") != std::string::npos ? 1 : 0;
  return count;
}

int exit_status_of_child(const std::function<int()>& run) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(run());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("page cache: a kept page gives its token, whole") {
  PageCache cache;
  const WrittenPage page("token");
  keep(cache, "a", page);
  const auto token = token_of(cache);
  REQUIRE(token);
  CHECK(token->authorization() == "Bearer token");
  CHECK(token->scope() == "read write");
  CHECK(token->version() == "v1");
  CHECK(token->expires_at() == std::chrono::system_clock::time_point{1'800'000'000s});
  CHECK(found(cache, "b") == "none");
}

TEST_CASE("page cache: what another process closes is gone at the next call") {
  PageCache cache;
  WrittenPage page("token");
  keep(cache, "a", page);
  REQUIRE(found(cache) == "token");
  CHECK(exit_status_of_child([&page] {
          void* memory = common::map_sealed_memory(page.descriptor.get(), page.size, PROT_READ | PROT_WRITE);
          if (memory == nullptr) return 1;
          token_page::close(memory, page.size);
          return 0;
        }) == 0);
  CHECK(found(cache) == "none");
  CHECK_FALSE(passed(page.descriptor.get()));
}

TEST_CASE("page cache: a descriptor is needed for taking over alone") {
  PageCache cache;
  auto page = std::make_unique<WrittenPage>("token");
  keep(cache, "a", *page);
  page.reset();
  CHECK(found(cache) == "token");
}

TEST_CASE("page cache: a token with less left than is asked for is not given") {
  PageCache cache;
  const WrittenPage page("token", 100s, 10s);
  keep(cache, "a", page);
  CHECK(found(cache) == "token");
  CHECK(found(cache, "a", seconds(90)) == "token");
  CHECK(found(cache, "a", seconds(101)) == "none");
  CHECK(found(cache, "a", std::numeric_limits<std::int64_t>::max()) == "none");
  const WrittenPage nearly_over("token", 9s, 10s);
  keep(cache, "b", nearly_over);
  CHECK(found(cache, "b") == "none");
  CHECK(found(cache, "b", 0) == "token");
  const WrittenPage over("token", 0s, 0s);
  keep(cache, "c", over);
  CHECK(found(cache, "c", 0) == "none");
}

TEST_CASE("page cache: another page under the same key takes the place of the first") {
  PageCache cache;
  for (const std::size_t size : {900U, 16000U, 1U, 5000U, 16384U}) {
    const std::string token(size, 'x');
    const WrittenPage page(token);
    keep(cache, "a", page);
    CHECK(found(cache) == token);
  }
}

TEST_CASE("passed page: what is no page is refused") {
  const auto refused = [](int descriptor) { return !passed(descriptor); };
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const common::UniqueFd reading{ends[0]};
  const common::UniqueFd writing{ends[1]};
  CHECK(refused(-1));
  CHECK(refused(reading.get()));
  CHECK(refused(common::UniqueFd{::open("/dev/null", O_RDONLY)}.get()));
  CHECK(refused(common::UniqueFd{::open("/proc/self/exe", O_RDONLY)}.get()));
  CHECK(refused(common::make_sealed_memory("small", 63, WrittenPage::seals).get()));
  CHECK(refused(common::make_sealed_memory("zeros", 4096, WrittenPage::seals).get()));
  {
    const WrittenPage good("token");
    const common::UniqueFd unsealed{::memfd_create("unsealed", MFD_ALLOW_SEALING)};
    REQUIRE(::write(unsealed.get(), good.memory, good.size) == static_cast<ssize_t>(good.size));
    CHECK(refused(unsealed.get()));
  }
}

TEST_CASE("passed page: one that is altered in any part that matters is refused") {
  const auto refused = [](const std::function<void(WrittenPage&)>& alter) {
    WrittenPage page("token");
    alter(page);
    return !passed(page.descriptor.get());
  };
  CHECK_FALSE(refused([](WrittenPage&) {}));
  CHECK(refused([](WrittenPage& page) { page.head().magic[0] = 'x'; }));
  CHECK(refused([](WrittenPage& page) { page.head().version = 2; }));
  CHECK(refused([](WrittenPage& page) { page.head().version = 0; }));
  CHECK(refused([](WrittenPage& page) { page.head().state = 0; }));
  CHECK(refused([](WrittenPage& page) { page.head().state = 7; }));
  CHECK(refused([](WrittenPage& page) { page.head().sizes.token = 0; }));
  CHECK(refused([](WrittenPage& page) { page.head().sizes.token = 5000; }));
  CHECK(refused([](WrittenPage& page) { page.head().sizes.scope = ~0U; }));
  CHECK(refused([](WrittenPage& page) { page.head().sizes.version = ~0U; }));
  CHECK(refused([](WrittenPage& page) { page.head().sizes.type = 5; }));
  CHECK(refused([](WrittenPage& page) { page.text()[0] = 'b'; }));
  CHECK(refused([](WrittenPage& page) { page.text()[8] = '\n'; }));
}

TEST_CASE("page cache: a child has none of its parent's pages, may have its own, and the parent goes on") {
  PageCache cache;
  const WrittenPage page("parents");
  keep(cache, "a", page);
  const int status = exit_status_of_child([&cache] {
    if (found(cache) != "none") return 1;
    const WrittenPage own("childs");
    keep(cache, "a", own);
    if (found(cache) != "childs") return 2;
    return exit_status_of_child([&cache] { return found(cache) == "none" ? 0 : 1; }) == 0 ? 0 : 3;
  });
  CHECK(status == 0);
  CHECK(found(cache) == "parents");
}

TEST_CASE("page cache: a child forked in the middle of a replacement can keep pages") {
  PageCache cache;
  const WrittenPage page("token");
  std::atomic<bool> stop = false;
  std::thread writer{[&] {
    while (!stop) keep(cache, "a", page);
  }};
  for (int i = 0; i < 50; ++i) {
    CHECK(exit_status_of_child([&] {
            keep(cache, "a", page);
            return found(cache) == "token" ? 0 : 1;
          }) == 0);
  }
  stop = true;
  writer.join();
}

TEST_CASE("page cache: thousands of pages are found, each under its own key") {
  PageCache cache;
  for (int i = 0; i < 3000; ++i) keep(cache, "key " + std::to_string(i), WrittenPage{std::to_string(i)});
  for (int i = 0; i < 3000; ++i) CHECK(found(cache, "key " + std::to_string(i)) == std::to_string(i));
}

TEST_CASE("page cache: however many keys come, the last one is found and the mappings are bounded") {
  PageCache cache;
  const WrittenPage page("token");
  for (std::size_t i = 0; i < PageCache::most_pages + 2'000; ++i) {
    const std::string key = "key " + std::to_string(i);
    keep(cache, key, page);
    CHECK(found(cache, key) == "token");
  }
  CHECK(mappings_of_pages() <= PageCache::most_pages);
}

TEST_CASE(
    "page cache: tokens that outgrow their pages leave no more than a mapping each, and nothing in it") {
  PageCache cache;
  const auto count = [] {
    std::ifstream maps{"/proc/self/maps"};
    std::size_t lines = 0;
    for (std::string line; std::getline(maps, line);) ++lines;
    return lines;
  };
  const std::size_t before = count();
  constexpr std::size_t pages = 200;
  for (const std::size_t size : {100U, 5000U, 100U, 5000U, 12000U, 5000U}) {
    for (std::size_t i = 0; i < pages; ++i)
      keep(cache, "key " + std::to_string(i), WrittenPage{std::string(size, 'x')});
    for (std::size_t i = 0; i < pages; ++i)
      CHECK(found(cache, "key " + std::to_string(i)) == std::string(size, 'x'));
  }
  CHECK(count() <= before + pages * 4 + 50);
}

TEST_CASE("page cache: all caches of a process together are bounded") {
  PageCache first;
  PageCache second;
  const WrittenPage page("token");
  for (std::size_t i = 0; i < PageCache::most_pages; ++i) keep(first, "key " + std::to_string(i), page);
  keep(second, "a", page);
  CHECK(found(second) == "none");
  CHECK(found(first, "key 5") == "token");
}

TEST_CASE("page cache: a page that wants less than nothing left gives no token that has expired") {
  PageCache cache;
  WrittenPage page("token", 0s, 0s);
  page.head().min_valid = -seconds(3600);
  keep(cache, "a", page);
  CHECK(found(cache) == "none");
  const CoarseDeadline past{0, {.monotonic = 0, .wall = 0}};
  CHECK_FALSE(past.is_beyond(0, {.monotonic = 0, .wall = 0}));
}

TEST_CASE("page cache: what is over makes room before anything else does") {
  PageCache cache;
  const WrittenPage lasting("lasting");
  keep(cache, "a", lasting);
  for (int i = 0; i < 2'000; ++i) {
    WrittenPage page("token");
    keep(cache, "key " + std::to_string(i), page);
    page.close();
  }
  CHECK(found(cache) == "lasting");
  CHECK(mappings_of_pages() < 50);
}

TEST_CASE("page cache: readers see one token or the other while it is replaced, never a mixture") {
  PageCache cache;
  std::vector<std::unique_ptr<WrittenPage>> pages;
  for (const std::size_t size : {900U, 40U, 16000U, 5000U}) {
    pages.push_back(std::make_unique<WrittenPage>(std::string(size, static_cast<char>('a' + pages.size()))));
  }
  keep(cache, "a", *pages[0]);
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::atomic<std::uint64_t> read = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const auto token = token_of(cache);
        if (!token) continue;
        ++read;
        if (!is_uniform(token->value()) || token->version() != "v1") ++wrong;
      }
    });
  }
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  for (std::size_t i = 0; (i < 2000 || read < 2000) && std::chrono::steady_clock::now() < deadline; ++i) {
    keep(cache, "a", *pages[i % pages.size()]);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
  CHECK(read >= 2000);
}

TEST_CASE("token page: whoever reads while another process closes it gets the token whole or nothing") {
  for (int round = 0; round < 200; ++round) {
    const WrittenPage page(std::string(4000, 'x'));
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      void* memory = common::map_sealed_memory(page.descriptor.get(), page.size, PROT_READ | PROT_WRITE);
      token_page::close(memory, page.size);
      ::_exit(0);
    }
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (const auto token = passed(page.descriptor.get())) {
      REQUIRE((token->text().value() == page.token));
      REQUIRE(std::chrono::steady_clock::now() < deadline);
    }
    ::waitpid(child, nullptr, 0);
  }
}

TEST_CASE("token page: a daemon killed in the middle of closing leaves nothing that can be read") {
  WrittenPage page(std::string(4000, 'x'));
  std::atomic_ref{page.head().state}.store(static_cast<std::uint32_t>(token_page::State::closed));
  page.text()[100] = 0;
  CHECK_FALSE(passed(page.descriptor.get()));
}

TEST_CASE(
    "page key: what a request changes about the definition makes another key, how it is asked does not") {
  const auto key = [](const TokenRequest& request) {
    return std::string{PageKey{"a", request}.in_slot().text};
  };
  CHECK(key({}) == "a");
  CHECK(key({.force_renewal = true, .min_valid = 5s, .rejected = "v"}) == "a");
  CHECK(key({.scope = "x"}) != "a");
  CHECK(key({.scope = "x"}) != key({.audience = "x"}));
  CHECK(key({.parameters = {{"k", "v"}}}) != key({.parameters = {{"k", "w"}}}));
  CHECK(key({.scope = "x", .min_valid = 5s}) == key({.scope = "x"}));
}

TEST_CASE("page cache: a name that reads like another one with changes is not taken for it") {
  PageCache cache;
  const PageKey changed{"a", {.scope = "x"}};
  cache.keep(changed, *passed(WrittenPage{"token"}.descriptor.get()));
  SlotReading reading;
  REQUIRE(cache.find(changed, 0, reading));
  CHECK_FALSE(cache.find(changed.in_slot().text, 0, reading));
}
