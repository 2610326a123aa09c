/* The name and version that Hello, GetStatus and --version tell. */
#pragma once

#define SOFTWARE "loyald 0.1.0"
