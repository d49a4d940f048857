#pragma once

#include <string.h>

#include <cstddef>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

namespace grantd::common {

/// Wipes every block before it is given back.
template <class T>
struct WipingAllocator {
  using value_type = T;
  WipingAllocator() = default;
  template <class U>
  explicit WipingAllocator(const WipingAllocator<U>&) {}
  T* allocate(std::size_t n) { return std::allocator<T>{}.allocate(n); }
  void deallocate(T* block, std::size_t n) {
    ::explicit_bzero(block, n * sizeof(T));
    std::allocator<T>{}.deallocate(block, n);
  }
  bool operator==(const WipingAllocator&) const = default;
};

/// Characters that nobody else may see: a secret, a token, an assertion, a request that holds one. It cannot
/// be printed, formatted or copied by accident, and its memory is wiped when it is dropped or grows.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : characters_(text.begin(), text.end()) {}
  Secret(Secret&&) = default;
  Secret& operator=(Secret&&) = default;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() = default;

  /// A second owner of the same characters; a named call, so that every copy is seen in the code.
  Secret clone() const { return Secret{reveal()}; }
  /// The characters themselves, valid while this object is unchanged. For the wire and for cryptography only.
  std::string_view reveal() const { return {characters_.data(), characters_.size()}; }

  void append(std::string_view text) { characters_.insert(characters_.end(), text.begin(), text.end()); }
  void reserve(std::size_t size) { characters_.reserve(size); }
  std::size_t size() const { return characters_.size(); }
  bool empty() const { return characters_.empty(); }
  /// Whether both hold the same characters; takes the same time wherever they differ.
  bool same_as(const Secret& other) const;

 private:
  std::vector<char, WipingAllocator<char>> characters_;
};

/// Overwrites what calls that have returned left on this thread's stack, 128 KiB deep: libraries read secrets
/// into buffers there.
void wipe_stack();

}  // namespace grantd::common
