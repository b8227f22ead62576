/* null.h - backends without another side: null swallows every frame, loop returns every frame in order. */
#ifndef ANYNIC_BACKEND_NULL_NULL_H
#define ANYNIC_BACKEND_NULL_NULL_H

#include "backend/backend.h"

extern const struct backend_ops null_backend;
extern const struct backend_ops loop_backend;

#endif
