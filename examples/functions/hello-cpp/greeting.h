#pragma once
#include <string>

// The text of the field "name" of a flat JSON object, still escaped as it is there; "world" where there is none.
std::string name_in(const std::string &json);
