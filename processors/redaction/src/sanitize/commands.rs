//! Redis, Valkey and Memcached: of each line the command stays, if it is one, and `?` for all that follows it.
//!
//! Only words of these lists are ever written, so a value that runs over several lines cannot pass for a command.

use super::HIDDEN;

/// No command is longer.
const LONGEST: usize = 24;

/// Commands of Redis and Valkey, in order.
#[rustfmt::skip]
pub(super) const REDIS: &[&str] = &[
    "ACL", "APPEND", "ASKING", "AUTH", "BGREWRITEAOF", "BGSAVE", "BITCOUNT", "BITFIELD", "BITFIELD_RO", "BITOP",
    "BITPOS", "BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "CLIENT",
    "CLUSTER", "COMMAND", "CONFIG", "COPY", "DBSIZE", "DEBUG", "DECR", "DECRBY", "DEL", "DISCARD", "DUMP", "ECHO",
    "EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "EXEC", "EXISTS", "EXPIRE", "EXPIREAT", "EXPIRETIME", "FAILOVER",
    "FCALL", "FCALL_RO", "FLUSHALL", "FLUSHDB", "FT.AGGREGATE", "FT.CREATE", "FT.SEARCH", "FUNCTION", "GEOADD",
    "GEODIST", "GEOHASH", "GEOPOS", "GEORADIUS", "GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO", "GEORADIUS_RO",
    "GEOSEARCH", "GEOSEARCHSTORE", "GET", "GETBIT", "GETDEL", "GETEX", "GETRANGE", "GETSET", "HDEL", "HELLO",
    "HEXISTS", "HEXPIRE", "HEXPIREAT", "HEXPIRETIME", "HGET", "HGETALL", "HGETDEL", "HGETEX", "HINCRBY",
    "HINCRBYFLOAT", "HKEYS", "HLEN", "HMGET", "HMSET", "HPERSIST", "HPEXPIRE", "HPEXPIREAT", "HPEXPIRETIME",
    "HPTTL", "HRANDFIELD", "HSCAN", "HSET", "HSETEX", "HSETNX", "HSTRLEN", "HTTL", "HVALS", "INCR", "INCRBY",
    "INCRBYFLOAT", "INFO", "JSON.DEL", "JSON.GET", "JSON.MGET", "JSON.SET", "KEYS", "LASTSAVE", "LATENCY", "LCS",
    "LINDEX", "LINSERT", "LLEN", "LMOVE", "LMPOP", "LOLWUT", "LPOP", "LPOS", "LPUSH", "LPUSHX", "LRANGE", "LREM",
    "LSET", "LTRIM", "MEMORY", "MGET", "MIGRATE", "MODULE", "MONITOR", "MOVE", "MSET", "MSETNX", "MULTI", "OBJECT",
    "PERSIST", "PEXPIRE", "PEXPIREAT", "PEXPIRETIME", "PFADD", "PFCOUNT", "PFMERGE", "PING", "PSETEX", "PSUBSCRIBE",
    "PSYNC", "PTTL", "PUBLISH", "PUBSUB", "PUNSUBSCRIBE", "QUIT", "RANDOMKEY", "READONLY", "READWRITE", "RENAME",
    "RENAMENX", "REPLICAOF", "RESET", "RESTORE", "ROLE", "RPOP", "RPOPLPUSH", "RPUSH", "RPUSHX", "SADD", "SAVE",
    "SCAN", "SCARD", "SCRIPT", "SDIFF", "SDIFFSTORE", "SELECT", "SET", "SETBIT", "SETEX", "SETNX", "SETRANGE",
    "SHUTDOWN", "SINTER", "SINTERCARD", "SINTERSTORE", "SISMEMBER", "SLAVEOF", "SLOWLOG", "SMEMBERS", "SMISMEMBER",
    "SMOVE", "SORT", "SORT_RO", "SPOP", "SPUBLISH", "SRANDMEMBER", "SREM", "SSCAN", "SSUBSCRIBE", "STRLEN",
    "SUBSCRIBE", "SUBSTR", "SUNION", "SUNIONSTORE", "SUNSUBSCRIBE", "SWAPDB", "SYNC", "TIME", "TOUCH", "TTL",
    "TYPE", "UNLINK", "UNSUBSCRIBE", "UNWATCH", "WAIT", "WAITAOF", "WATCH", "XACK", "XADD", "XAUTOCLAIM", "XCLAIM",
    "XDEL", "XGROUP", "XINFO", "XLEN", "XPENDING", "XRANGE", "XREAD", "XREADGROUP", "XREVRANGE", "XSETID", "XTRIM",
    "ZADD", "ZCARD", "ZCOUNT", "ZDIFF", "ZDIFFSTORE", "ZINCRBY", "ZINTER", "ZINTERCARD", "ZINTERSTORE", "ZLEXCOUNT",
    "ZMPOP", "ZMSCORE", "ZPOPMAX", "ZPOPMIN", "ZRANDMEMBER", "ZRANGE", "ZRANGEBYLEX", "ZRANGEBYSCORE",
    "ZRANGESTORE", "ZRANK", "ZREM", "ZREMRANGEBYLEX", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE", "ZREVRANGE",
    "ZREVRANGEBYLEX", "ZREVRANGEBYSCORE", "ZREVRANK", "ZSCAN", "ZSCORE", "ZUNION", "ZUNIONSTORE",
];

/// Commands of Memcached's text protocol, in order.
#[rustfmt::skip]
pub(super) const MEMCACHED: &[&str] = &[
    "ADD", "APPEND", "CAS", "DECR", "DELETE", "FLUSH_ALL", "GAT", "GATS", "GET", "GETS", "INCR", "MA", "MD", "ME",
    "MG", "MN", "MS", "PREPEND", "QUIT", "REPLACE", "SET", "STATS", "TOUCH", "VERBOSITY", "VERSION",
];

/// The commands of `text`, without what they are given.
pub(super) fn sanitised(text: &str, known: &[&str]) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut out = String::new();
    for line in lines {
        let (word, rest) = line.split_at(line.find(char::is_whitespace).unwrap_or(line.len()));
        let is_command = word.len() <= LONGEST
            && known
                .binary_search(&word.to_ascii_uppercase().as_str())
                .is_ok();
        // Lines of one value say nothing each.
        if !is_command && out.ends_with(HIDDEN) {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        match (is_command, rest.is_empty()) {
            (true, true) => out.push_str(word),
            (true, false) => out.extend([word, " ", HIDDEN]),
            (false, _) => out.push_str(HIDDEN),
        }
    }
    if out.is_empty() {
        out.push_str(HIDDEN);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_the_order_that_they_are_searched_by() {
        assert!(REDIS.is_sorted() && MEMCACHED.is_sorted());
    }

    #[test]
    fn a_command_stays_and_what_it_is_given_goes() {
        for (text, left) in [
            ("SET user:1 top-secret", "SET ?"),
            ("set user:1 top-secret EX 5", "set ?"),
            ("PING", "PING"),
            ("  GET\tk ", "GET ?"),
            ("SET a 1\nGET a\r\nPING", "SET ?\nGET ?\nPING"),
            ("JSON.SET doc $ {}", "JSON.SET ?"),
        ] {
            assert_eq!(sanitised(text, REDIS), left);
        }
        assert_eq!(
            sanitised("set mykey 0 60 6\r\nsecret\r\n", MEMCACHED),
            "set ?"
        );
        assert_eq!(sanitised("gets a b c", MEMCACHED), "gets ?");
    }

    #[test]
    fn what_is_no_command_is_hidden_even_at_the_start_of_a_line() {
        for text in [
            "secret",
            "*3\r\n$3\r\nSET\r\n$1\r\nk",
            "\"SET\" k v",
            "secret\nhunter2",
            " \n ",
        ] {
            assert_eq!(
                sanitised(text, REDIS).replace("\nSET\n?", ""),
                "?",
                "{text}"
            );
        }
        assert_eq!(
            sanitised("SET k \"one\nsecret two\nthree\"", REDIS),
            "SET ?"
        );
    }
}
