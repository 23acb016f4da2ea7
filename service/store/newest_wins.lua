-- Write rows into hashes; of each view of a row the newest event time stays, an equal one replaces.
--
-- KEYS: the hash of each row; the same one may come again.
-- ARGV: the key's time to live in seconds (0: none), the number of views, and for each view how many arguments a row has for
--   it; then row by row and view by view these arguments, as HSET takes them: the field of the event time, the event time (a
--   serialized google.protobuf.Timestamp), and field and value of each feature.
-- Reply: for each row a number in which bit i says that view i was written, or the error that Redis or this script gave.
--   A key that gives an error doesn't keep the others from being written.

local ARGV, byte, call, type, unpack = ARGV, string.byte, redis.pcall, type, unpack

-- unpack takes as many values as fit Lua's C stack, 8000 less what is on it (LUAI_MAXCSTACK). Even: fields come with values.
local MOST_ARGUMENTS = 7000

-- The whole seconds of a time from 1978 to 3058, whose varint has five bytes; nil of others.
local function usual_seconds(raw)
  local tag, a, b, c, d, e = byte(raw, 1, 6)
  if tag == 0x08 and e and a > 127 and b > 127 and c > 127 and d > 127 and e < 128 then
    return a + b * 2^7 + c * 2^14 + d * 2^21 + e * 2^28 -- the four continuation bits are in all of them alike
  end
end

-- The varint at `at` as the signed 64-bit integer that it means, exact to 2^53, and where it ends; nil when it is cut short.
local function varint(raw, at)
  local low, high = 0, 0 -- 28 bits and 36 bits: a number holds 53 exactly
  for place = 0, 9 do
    local digit = byte(raw, at + place)
    if not digit then return nil end
    if place < 4 then low = low + digit % 128 * 2^(7 * place) else high = high + digit % 128 * 2^(7 * (place - 4)) end
    if digit < 128 then
      high = high % 2^36
      return (high < 2^35 and high or high - 2^36) * 2^28 + low, at + place + 1
    end
  end
end

-- Seconds and nanoseconds of any Timestamp; nil when it isn't one.
local function parse(raw)
  local seconds, nanos, at = 0, 0, 1
  while at <= #raw do
    local tag, value = byte(raw, at), nil
    value, at = varint(raw, at + 1)
    if not value then return nil end
    if tag == 0x08 then seconds = value elseif tag == 0x10 then nanos = value else return nil end
  end
  return seconds, nanos
end

-- Whether `time` is before `stored`; nil when either can't be read.
local function is_older(time, stored)
  local seconds, stored_seconds, nanos, stored_nanos = usual_seconds(time), usual_seconds(stored), nil, nil
  if seconds and stored_seconds and seconds ~= stored_seconds then return seconds < stored_seconds end
  seconds, nanos = parse(time)
  stored_seconds, stored_nanos = parse(stored)
  if not (seconds and stored_seconds) then return nil end
  return seconds < stored_seconds or (seconds == stored_seconds and nanos < stored_nanos)
end

-- One HSET, so that no row is ever half there; more of them only of a view too wide for one. Gives its error, or nil.
local function set(key, from, to)
  for first = from, to, MOST_ARGUMENTS do
    local reply = call('HSET', key, unpack(ARGV, first, math.min(first + MOST_ARGUMENTS - 1, to)))
    if type(reply) == 'table' then return reply end
  end
end

-- Write ARGV[from..to] unless what stands is newer: whether it was written, and the error if there was one.
local function write_view(key, from, to)
  local stored, time = call('HGET', key, ARGV[from]), ARGV[from + 1]
  if type(stored) == 'table' then return false, stored end
  if stored and stored ~= time then
    local older = is_older(time, stored)
    if older == nil then return false, {err = 'UNREADABLE event time'} end
    if older then return false end
  end
  local failure = set(key, from, to)
  return not failure, failure
end

local time_to_live, views, widths = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
for view = 1, views do widths[view] = tonumber(ARGV[2 + view]) end
local at, outcomes = 3 + views, {}
for row, key in ipairs(KEYS) do
  local outcome, bit, failure = 0, 1, nil
  for view = 1, views do
    local next_at = at + widths[view]
    local written, view_failure = write_view(key, at, next_at - 1)
    if written then outcome = outcome + bit end
    failure = failure or view_failure
    bit, at = bit * 2, next_at
  end
  if outcome > 0 and time_to_live > 0 then
    local reply = call('EXPIRE', key, ARGV[1])
    if type(reply) == 'table' then failure = reply end
  end
  outcomes[row] = failure or outcome
end
return outcomes
