// What happens at any moment in the middle: the daemon is killed while it closes a page, a reader is stopped
// while what it reads is closed and replaced. The one that is interrupted is a process of its own, which goes
// on by single instructions.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/client_lib/page_fixture.hpp"
#include "tests/unit/client_lib/stepped_child.hpp"

using namespace grantd;
using detail::PageCache;
using tests::is_uniform;
using tests::keep;
using tests::passed;
using tests::SteppedChild;
using tests::token_of;
using tests::WrittenPage;

namespace {

/// A copy of a page's memory as it is now, in the hands of the process that comes next.
struct LeftPage {
  explicit LeftPage(const WrittenPage& page) : words(page.size / sizeof(token_page::Word)) {
    std::memcpy(words.data(), page.memory, page.size);
  }
  void close() { token_page::close(words.data(), words.size() * sizeof(token_page::Word)); }
  bool is_closed_and_wiped() const {
    const auto& head = *reinterpret_cast<const token_page::Head*>(words.data());
    for (std::size_t i = sizeof(token_page::Head) / sizeof(token_page::Word); i < words.size(); ++i) {
      if (words[i] != 0) return false;
    }
    return head.state == static_cast<std::uint32_t>(token_page::State::closed);
  }

  std::vector<token_page::Word> words;
};

struct Pipe {
  Pipe() { REQUIRE(::pipe(ends) == 0); }
  ~Pipe() {
    for (const int end : ends) ::close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  void say() const { CHECK(::write(ends[1], "x", 1) == 1); }
  /// False where nothing has been said for so long; less than zero: waits for ever.
  bool hear(int milliseconds = -1) const {
    pollfd waited{.fd = ends[0], .events = POLLIN, .revents = 0};
    char word = 0;
    return ::poll(&waited, 1, milliseconds) == 1 && ::read(ends[0], &word, 1) == 1;
  }

  int ends[2];
};

/// In a process of its own: a thread that reads, and one that closes the page and replaces it when it is told
/// to.
void read_beside_replacement(const Pipe& replace, const Pipe& replaced) {
  PageCache cache;
  std::vector<std::unique_ptr<WrittenPage>> pages;
  const auto put_next = [&] {
    const std::size_t size = pages.size() % 2 == 0 ? 900 : 6000;
    pages.push_back(
        std::make_unique<WrittenPage>(std::string(size, static_cast<char>('a' + pages.size() % 26))));
    keep(cache, "a", *pages.back());
  };
  put_next();
  std::thread{[&] {
    while (replace.hear()) {
      pages.back()->close();
      put_next();
      replaced.say();
    }
  }}.detach();
  while (true) {
    SteppedChild::pause();
    const auto token = token_of(cache);
    const std::size_t size = token ? token->value().size() : 0;
    if (token && (!is_uniform(token->value()) || (size != 900 && size != 6000))) ::_exit(3);
  }
}

}  // namespace

TEST_CASE("token page: killed at any instruction of closing, the daemon leaves a whole token or none") {
  const WrittenPage page(std::string(300, 'x'));
  SteppedChild daemon{[&page] {
    void* memory = common::map_sealed_memory(page.descriptor.get(), page.size, PROT_READ | PROT_WRITE);
    if (memory == nullptr) return;
    SteppedChild::pause();
    token_page::close(memory, page.size);
  }};
  if (!daemon.is_there()) {
    MESSAGE("skipped: no process can be traced here");
    return;
  }
  bool closed = false;
  int given_after_closing = 0;
  int torn = 0;
  int not_closed_by_the_next = 0;
  int steps = 0;
  while (daemon.step()) {
    const auto token = passed(page.descriptor.get());
    if (token && closed) ++given_after_closing;
    if (token && token->text().value() != page.token) ++torn;
    closed = closed || !token;
    if (steps++ % 7 == 0) {
      LeftPage left(page);
      left.close();
      if (!left.is_closed_and_wiped()) ++not_closed_by_the_next;
    }
  }
  CHECK(closed);
  CHECK(steps > 100);
  CHECK(given_after_closing == 0);
  CHECK(torn == 0);
  CHECK(not_closed_by_the_next == 0);
}

TEST_CASE("passed page: stopped at any instruction of copying, a reader has a whole token or none") {
  constexpr int stride = 250;
  std::vector<std::unique_ptr<WrittenPage>> pages(24);
  for (auto& page : pages) page = std::make_unique<WrittenPage>(std::string(400, 'x'));
  SteppedChild reader{[&pages] {
    for (const auto& page : pages) {
      SteppedChild::pause();
      const auto token = passed(page->descriptor.get());
      if (token && token->text().value() != page->token) ::_exit(3);
    }
    SteppedChild::pause();
  }};
  if (!reader.is_there()) {
    MESSAGE("skipped: no process can be traced here");
    return;
  }
  int steps = 0;
  for (const auto& page : pages) {
    bool in_the_middle = true;
    for (int i = 0; in_the_middle && i < steps; ++i) in_the_middle = reader.step();
    page->close();
    if (in_the_middle) REQUIRE(reader.run());
    steps += stride;
  }
  CHECK(reader.is_there());
}

TEST_CASE(
    "page cache: stopped at any instruction while its page is replaced, a reader has one token or the "
    "other") {
  const Pipe replace;
  const Pipe replaced;
  SteppedChild reader{[&] { read_beside_replacement(replace, replaced); }};
  if (!reader.is_there()) {
    MESSAGE("skipped: no process can be traced here");
    return;
  }
  // A sanitizer's reads are so long that only their beginning can be gone through.
  constexpr int stride = 173;
  int steps_left = 100'000;
  bool in_the_middle = true;
  int interrupted = 0;
  int unfinished = 0;
  // The first one goes all the way, for what is done once.
  REQUIRE(reader.run());
  for (int steps = 0; in_the_middle && steps_left > steps; steps += stride) {
    for (int i = 0; in_the_middle && i < steps; ++i) in_the_middle = reader.step();
    if (!in_the_middle) break;
    steps_left -= steps;
    ++interrupted;
    replace.say();
    // What it is stopped in may be what the other thread needs as well: the lock of an allocator.
    const bool done = replaced.hear(1000);
    if (!done) ++unfinished;
    REQUIRE(reader.run());
    if (!done) REQUIRE(replaced.hear());
  }
  CHECK(reader.is_there());
  CHECK((!in_the_middle || steps_left < 10'000));
  CHECK(interrupted > 10);
  CHECK(unfinished * 2 < interrupted);
}

TEST_CASE("page cache: nothing of a page or of its copies is in a core file or in a forked child") {
  PageCache cache;
  const WrittenPage page("token");
  for (const std::size_t size : {100U, 16000U, 100U}) {
    const WrittenPage another(std::string(size, 'x'));
    keep(cache, "a", another);
  }
  // A range is a page's first memory page and the copy behind it; what comes next may be anybody's.
  std::ifstream maps{"/proc/self/smaps"};
  std::string end_of_page;
  bool of_the_cache = false;
  int pages = 0;
  int copies = 0;
  for (std::string line; std::getline(maps, line);) {
    const auto dash = line.find('-');
    if (dash != std::string::npos && dash < line.find(' ')) {
      const bool is_page =
          line.find("r--s") != std::string::npos && line.find("memfd:page") != std::string::npos;
      const bool is_copy = line.find("r--p") != std::string::npos && line.substr(0, dash) == end_of_page;
      of_the_cache = is_page || is_copy;
      end_of_page = is_page ? line.substr(dash + 1, line.find(' ') - dash - 1) : std::string{};
      if (is_page) ++pages;
      if (is_copy) ++copies;
    }
    if (!of_the_cache || !line.starts_with("VmFlags:")) continue;
    CHECK(line.find(" dd") != std::string::npos);
    CHECK(line.find(" dc") != std::string::npos);
  }
  // Of the range that became too small nothing is left but zeros.
  CHECK(pages == 1);
  CHECK(copies == 1);
}
