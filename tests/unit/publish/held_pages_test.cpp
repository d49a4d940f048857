#include "daemon/publish/token_pages.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <fstream>
#include <random>

#include "common/sealed_memory.hpp"
#include "tests/fakes/log_recorder.hpp"

using namespace grantd;
using namespace std::chrono_literals;
using common::UniqueFd;
using daemon::PublishedPage;
using daemon::TokenPages;

namespace {

class Numbers final : public common::Entropy {
 public:
  void fill(std::span<std::byte> bytes) override {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_() & 255);
  }

 private:
  std::minstd_rand random_;  // NOLINT(bugprone-random-generator-seed): names are to differ, no more
};

/// Processes one after the other, and the service manager that holds their descriptors.
struct Processes {
  Processes() { next(); }

  /// The one before is killed.
  void next() {
    std::multimap<std::string, UniqueFd> left;
    for (const auto& [name, descriptor] : store) left.emplace(name, ::dup(descriptor.get()));
    UniqueFd memory{kept ? ::dup(kept->descriptor()) : -1};
    if (kept) {
      pages->leave();
      kept->leave();
    }
    page.reset();
    pages.reset();
    kept = std::make_unique<daemon::KeptTokens>(log);
    kept->begin(std::move(memory), now);
    pages = std::make_unique<TokenPages>(entropy, log, metrics, *kept);
    pages->begin({.most = most,
                  .hold =
                      [this](const std::string& name, int descriptor) {
                        if (takes) store.emplace(name, ::dup(descriptor));
                        return takes;
                      },
                  .release = [this](const std::string& name) { store.erase(name); }},
                 std::move(left));
    publisher = pages->publisher("client", "access");
  }
  static daemon::Token token(const std::string& text = "text") {
    return {.obtained = now,
            .expires = now + 300s,
            .expires_wall = common::WallTime{1'800'000'000s},
            .access_token = common::Secret{text},
            .scope = "a b",
            .version = "version of " + text};
  }
  UniqueFd publish(const daemon::Token& token) {
    page = publisher->publish({}, token);
    return page ? page->for_reader() : UniqueFd{};
  }
  /// Whether the page of an earlier process is gone on with.
  bool take(const daemon::Token& token) {
    page = publisher->take_page({}, token);
    return page != nullptr;
  }
  /// Writes over what the manager holds of the only page.
  void overwrite(std::size_t at, std::string_view bytes) {
    REQUIRE(store.size() == 1);
    REQUIRE(::pwrite(store.begin()->second.get(), bytes.data(), bytes.size(), static_cast<off_t>(at)) ==
            static_cast<ssize_t>(bytes.size()));
  }
  std::string withheld() {
    const std::string text = metrics.collect()();
    const std::string name = "grantd_pages_withheld_total{reason=\"not_held\"} ";
    const auto begin = text.find(name) + name.size();
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  static constexpr common::BootTime now{1000s};
  Numbers entropy;
  tests::LogRecorder log;
  daemon::Metrics metrics{common::WallTime{}};
  std::size_t most = 2;
  bool takes = true;
  std::map<std::string, UniqueFd> store;
  std::unique_ptr<daemon::KeptTokens> kept;
  std::unique_ptr<TokenPages> pages;
  std::shared_ptr<daemon::PagePublisher> publisher;
  std::unique_ptr<PublishedPage> page;
};

/// What a reader sees.
token_page::State state_of(const UniqueFd& page) {
  std::uint32_t state = 0;
  REQUIRE(::pread(page.get(), &state, sizeof state, offsetof(token_page::Head, state)) == sizeof state);
  return static_cast<token_page::State>(state);
}

bool is_wiped(const UniqueFd& page) {
  struct stat about{};
  REQUIRE(::fstat(page.get(), &about) == 0);
  std::string text(static_cast<std::size_t>(about.st_size) - sizeof(token_page::Head), '\0');
  REQUIRE(::pread(page.get(), text.data(), text.size(), sizeof(token_page::Head)) ==
          static_cast<ssize_t>(text.size()));
  return text.find_first_not_of('\0') == std::string::npos;
}

// KiB that are locked of mappings whose name has this in it.
long locked_kib(const std::string& name) {
  std::ifstream mappings{"/proc/self/smaps"};
  long total = 0;
  bool counts = false;
  for (std::string line; std::getline(mappings, line);) {
    if (line.find('-') < line.find(' ') && line.find(':') > line.find(' ')) {
      counts = line.find(name) != std::string::npos;
    } else if (counts && line.starts_with("Locked:")) {
      total += std::stol(line.substr(7));
    }
  }
  return total;
}

using token_page::State;

}  // namespace

TEST_CASE("token pages: a page outlives its process, and the next one closes it") {
  Processes p;
  const UniqueFd reader = p.publish(Processes::token());
  REQUIRE(reader);
  p.next();
  CHECK(p.take(Processes::token()));
  p.pages->close_untaken();
  CHECK(state_of(reader) == State::open);
  p.page.reset();
  CHECK(state_of(reader) == State::closed);
  CHECK(is_wiped(reader));
  CHECK(p.store.empty());
  CHECK(p.log.lines().empty());
}

TEST_CASE("token pages: none is given away that nobody takes to hold, which is logged once and counted") {
  Processes p;
  p.takes = false;
  CHECK_FALSE(p.publish(Processes::token()));
  CHECK_FALSE(p.publish(Processes::token()));
  CHECK(p.log.count("event=no_page client=client") == 1);
  CHECK(p.withheld() == "2");
  p.takes = true;
  CHECK(p.publish(Processes::token()));
  p.takes = false;
  CHECK_FALSE(p.publish(Processes::token()));
  CHECK(p.log.count("event=no_page") == 2);
  p.next();
  CHECK_FALSE(p.take(Processes::token()));
}

TEST_CASE("token pages: no more are given away than the holder has said that it holds") {
  Processes p;
  const auto first = p.publisher->publish({}, Processes::token("first"));
  auto second = p.publisher->publish({}, Processes::token("second"));
  CHECK(first);
  CHECK(second);
  CHECK_FALSE(p.publish(Processes::token("third")));
  CHECK(p.log.count("event=too_many_pages limit=2") == 1);
  CHECK(p.store.size() == 2);
  second.reset();
  CHECK(p.publish(Processes::token("third")));

  Processes nothing;
  nothing.most = 0;
  nothing.next();
  CHECK_FALSE(nothing.publish(Processes::token()));
}

TEST_CASE("token pages: without a holder pages are given away, and nothing is said of swap") {
  Processes p;
  TokenPages alone{p.entropy, p.log, p.metrics, *p.kept};
  const auto page = alone.publisher("client", "access")->publish({}, Processes::token());
  REQUIRE(page);
  CHECK(page->for_reader());
  CHECK(p.log.lines().empty());
}

TEST_CASE("token pages: what is left of a page that was being closed is wiped and not given away again") {
  Processes p;
  const UniqueFd reader = p.publish(Processes::token());
  p.overwrite(offsetof(token_page::Head, state), {"\2\0\0\0", 4});
  p.next();
  CHECK(is_wiped(reader));
  CHECK_FALSE(p.take(Processes::token()));
  p.pages->close_untaken();
  CHECK(p.store.empty());
  CHECK(p.log.has("event=stored_page_dropped"));
  CHECK(p.log.has("is closed"));
  CHECK(p.log.lines().size() == 1);
  CHECK(p.publish(Processes::token()));
}

TEST_CASE("token pages: a page that this version cannot have written is closed") {
  Processes p;
  const UniqueFd reader = p.publish(Processes::token());
  SUBCASE("another layout") { p.overwrite(offsetof(token_page::Head, version), {"\7\0\0\0", 4}); }
  SUBCASE("parts beyond its end") {
    p.overwrite(offsetof(token_page::Head, sizes), {"\1\0\0\0\377\377\0\0", 8});
  }
  p.next();
  CHECK(state_of(reader) == State::closed);
  CHECK(is_wiped(reader));
  CHECK_FALSE(p.take(Processes::token()));
  p.pages->close_untaken();
  CHECK(p.store.empty());
  CHECK(p.log.has("event=stored_page_dropped"));
  CHECK(p.log.lines().size() == 1);
}

TEST_CASE("token pages: a page that does not hold its token as it is now is closed") {
  Processes p;
  const UniqueFd reader = p.publish(Processes::token());
  daemon::Token token = Processes::token();
  SUBCASE("another token") { p.overwrite(sizeof(token_page::Head) + 7, "x"); }
  SUBCASE("another end") { token.expires -= 1s; }
  SUBCASE("another scope") { token.scope = "a"; }
  p.next();
  CHECK_FALSE(p.take(token));
  CHECK(state_of(reader) == State::closed);
  CHECK(p.store.empty());
  CHECK(p.log.has("event=stored_page_dropped client=client"));
}

TEST_CASE("token pages: what the holder has that is no page is released") {
  Processes p;
  p.store.emplace("page-odd", ::open("/dev/null", O_RDWR | O_CLOEXEC));
  UniqueFd zeros = common::make_sealed_memory("test", 4096, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  p.store.emplace("page-zeros", ::dup(zeros.get()));
  p.next();
  p.pages->close_untaken();
  CHECK(p.store.empty());
  CHECK(p.log.count("event=stored_page_dropped name=page-") == 2);
}

TEST_CASE("token pages: a page that the holder lost is said to be out of reach") {
  Processes p;
  const UniqueFd reader = p.publish(Processes::token());
  p.store.clear();
  p.next();
  CHECK_FALSE(p.take(Processes::token()));
  CHECK(p.log.count("event=stored_page_missing client=client") == 1);
}

TEST_CASE("token pages: pages, restored ones too, and kept tokens are locked in memory") {
  Processes p;
  const long before = locked_kib("grantd-page");
  CHECK(locked_kib("grantd-tokens") >= 64);
  REQUIRE(p.publish(Processes::token()));
  CHECK(locked_kib("grantd-page") > before);
  p.next();
  REQUIRE(p.take(Processes::token()));
  CHECK(locked_kib("grantd-page") > before);
  CHECK(locked_kib("grantd-tokens") >= 64);
  p.page.reset();
  CHECK(locked_kib("grantd-page") == before);
}
