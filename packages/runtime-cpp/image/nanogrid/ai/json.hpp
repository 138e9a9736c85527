// As much of JSON as <nanogrid/ai.hpp> needs: what services answer, read without trust. Owns no state.
#pragma once

#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nanogrid::ai::detail {

constexpr int max_depth = 200;

struct value {
  enum { none, null, boolean, number, text, array, object } kind = none;
  std::string string;  // of a text what it says, of a number how it is written, of a boolean its name
  std::vector<value> items;
  std::vector<std::pair<std::string, value>> members;

  const value& operator[](std::string_view name) const {
    static const value nothing;
    const value* found = &nothing;
    for (const auto& [key, member] : members)
      if (key == name) found = &member;
    return *found;
  }
  bool says() const { return kind == text && !string.empty(); }
  bool is_true() const { return kind != none && kind != null && string != "false" && !(kind == text && string.empty()); }
};

class parser {
 public:
  explicit parser(std::string_view text) : text_(text) {}

  /// Of kind `none` for what is no JSON.
  value whole() {
    value found;
    if (!read(found, 0)) return {};
    skip();
    return at_ == text_.size() ? found : value{};
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;

  void skip() {
    while (at_ < text_.size() && std::strchr(" \t\r\n", text_[at_]) && text_[at_]) at_++;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    at_++;
    return true;
  }
  bool word(std::string_view name) {
    if (text_.substr(at_, name.size()) != name) return false;
    at_ += name.size();
    return true;
  }

  bool read(value& to, int depth) {
    skip();
    if (depth > max_depth || at_ >= text_.size()) return false;
    const char first = text_[at_];
    if (first == '{') return object(to, depth);
    if (first == '[') return array(to, depth);
    if (first == '"') {
      to.kind = value::text;
      return string(to.string);
    }
    for (const char* name : {"true", "false", "null"}) {
      if (!word(name)) continue;
      to.kind = *name == 'n' ? value::null : value::boolean;
      to.string = name;
      return true;
    }
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] && std::strchr("0123456789+-.eE", text_[at_])) at_++;
    to.kind = value::number;
    to.string = std::string(text_.substr(start, at_ - start));
    return at_ > start;
  }

  bool object(value& to, int depth) {
    to.kind = value::object;
    at_++;
    if (take('}')) return true;
    do {
      skip();
      std::string name;
      value member;
      if (!string(name) || !take(':') || !read(member, depth + 1)) return false;
      to.members.emplace_back(std::move(name), std::move(member));
    } while (take(','));
    return take('}');
  }

  bool array(value& to, int depth) {
    to.kind = value::array;
    at_++;
    if (take(']')) return true;
    do {
      value item;
      if (!read(item, depth + 1)) return false;
      to.items.push_back(std::move(item));
    } while (take(','));
    return take(']');
  }

  bool hex(unsigned& to) {
    if (at_ + 4 > text_.size()) return false;
    to = 0;
    for (int digit = 0; digit < 4; digit++) {
      const char c = text_[at_++];
      if (!std::isxdigit(static_cast<unsigned char>(c))) return false;
      to = to * 16 + (std::isdigit(static_cast<unsigned char>(c)) ? c - '0' : (c | 32) - 'a' + 10);
    }
    return true;
  }

  bool string(std::string& to) {
    if (at_ >= text_.size() || text_[at_] != '"') return false;
    for (at_++; at_ < text_.size(); at_++) {
      const char c = text_[at_];
      if (c == '"') {
        at_++;
        return true;
      }
      if (c != '\\') {
        to += c;
        continue;
      }
      if (++at_ >= text_.size()) return false;
      static constexpr char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
      const char escape = text_[at_];
      if (const char* found = escape ? std::strchr(names, escape) : nullptr) {
        to += meant[found - names];
        continue;
      }
      unsigned code = 0, low = 0;
      at_++;
      if (escape != 'u' || !hex(code)) return false;
      if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
        const std::size_t before = at_;
        at_ += 2;
        if (!hex(low)) return false;
        if (low >= 0xdc00 && low < 0xe000) code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        else at_ = before;
      }
      append(to, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
      at_--;
    }
    return false;
  }

  static void append(std::string& to, unsigned code) {
    const auto byte = [&](unsigned bits) { to += static_cast<char>(bits); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) byte(0xc0 | code >> 6);
    else if (code < 0x10000) byte(0xe0 | code >> 12), byte(0x80 | (code >> 6 & 0x3f));
    else byte(0xf0 | code >> 18), byte(0x80 | (code >> 12 & 0x3f)), byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
};

inline std::string json_text(std::string_view text) {
  std::string to = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') (to += '\\') += c;
    else if (static_cast<unsigned char>(c) >= 0x20) to += c;
    else {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned char>(c));
      to += escape;
    }
  }
  return to += '"';
}

/// A count as the service told it; 0 for what can be none.
inline long long count_of(const value& told) {
  if (told.kind != value::number) return 0;
  const double count = std::strtod(told.string.c_str(), nullptr);
  return count >= 0 && count <= 9007199254740991.0 && count == std::floor(count) ? static_cast<long long>(count) : 0;
}

/// What an error's body says, as a part of a sentence.
inline std::string reason_of(std::string_view body) {
  const value told = parser(body).whole();
  for (const char* name : {"error", "message", "detail"}) {
    const value& reason = told[name];
    if (reason.kind == value::none) continue;
    const value& words = reason.kind == value::object ? reason["message"] : reason;
    return words.says() ? ": " + words.string.substr(0, 1000) : "";
  }
  return "";
}

}  // namespace nanogrid::ai::detail
