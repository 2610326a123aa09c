/* The name and version that Hello, GetStatus and --version tell. */
#pragma once

#define VERSION  "0.1.0"
#define SOFTWARE "loyald " VERSION
