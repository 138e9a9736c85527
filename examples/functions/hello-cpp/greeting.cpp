#include "greeting.h"

std::string name_in(const std::string &json) {
  const std::string key = "\"name\":";
  auto at = json.find(key);
  if (at == std::string::npos) return "world";
  at = json.find_first_not_of(' ', at + key.size());
  if (at == std::string::npos || json[at] != '"') return "world";
  auto end = at + 1;
  while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
  return json.substr(at + 1, end - at - 1);
}
