namespace Dataplane.Configuration;

/// <summary>Words of error messages: lists, and the known word nearest to a wrong one.</summary>
internal static class WordList
{
    /// <summary>What people coming from other systems write, behind what it is called here; without separators, in lower case.</summary>
    private static readonly string[] s_synonyms =
    [
        "via: gateway nexthop nexthops gw", "protocol: proto", "address: ip addr host vip", "mac: hwaddr lladdr ethernet",
        "from: source src", "to: destination dst prefix network", "from_port: sport sourceport srcport", "to_port: dport destinationport dstport",
        "interface: device dev iface nic", "port: device dev", "kind: type driver", "reject: type", "input: in", "output: out",
        "balance: policy algorithm scheduler", "default: policy", "forward: mode", "backends: servers targets endpoints upstreams",
        "tcp_flags: flags", "action: verdict target", "filter: firewall acl", "neighbours: arp", "services: loadbalancers", "count: threads", "cpu: pin",
        "round_robin: rr", "weighted: wrr", "allow: accept permit pass", "deny: drop block", "blackhole: drop discard", "nat: dnat",
        "server: master", "client: slave", "af_packet: packet raw", "af_xdp: xdp", "pcap: file",
    ];

    private static readonly Dictionary<string, string[]> s_meant =
        s_synonyms.Select(line => line.Split(": ")).ToDictionary(parts => parts[0], parts => parts[1].Split(' '));

    /// <summary>Writes <c>a, b or c</c>.</summary>
    public static string Or(IEnumerable<string> words)
    {
        string[] all = [.. words];
        return all.Length < 2 ? string.Concat(all) : $"{string.Join(", ", all[..^1])} or {all[^1]}";
    }

    /// <summary>The sentence <c>; did you mean "x"?</c> when a known word is near, else nothing.</summary>
    public static string DidYouMean(string word, IEnumerable<string> known) => Nearest(word, known) is { } near ? $"; did you mean \"{near}\"?" : "";

    /// <summary>The known word that a wrong one most likely stands for; null when none is near.</summary>
    public static string? Nearest(string word, IEnumerable<string> known)
    {
        // Longer than any word that could be meant, and not worth the table.
        if (word.Length is 0 or > 40)
        {
            return null;
        }

        string bare = Bare(word);
        string? best = null;
        int bestDistance = Math.Max(1, bare.Length / 3) + 1;
        foreach (string candidate in known)
        {
            if (s_meant.TryGetValue(candidate, out string[]? synonyms) && synonyms.Contains(bare))
            {
                return candidate;
            }

            // A word cut short, or drawn out, is as near as one letter is.
            string other = Bare(candidate);
            bool isCut = Math.Min(bare.Length, other.Length) >= 4
                && (other.StartsWith(bare, StringComparison.Ordinal) || bare.StartsWith(other, StringComparison.Ordinal));
            int distance = isCut ? 1 : Distance(bare, other);
            if (distance < bestDistance)
            {
                best = candidate;
                bestDistance = distance;
            }
        }

        return best;
    }

    /// <summary>Case and separators are no difference worth a step: <c>ToPort</c> and <c>to-port</c> are <c>to_port</c>.</summary>
    private static string Bare(string word) => string.Concat(word.Where(character => character is not ('_' or '-' or ' '))).ToLowerInvariant();

    /// <summary>Optimal string alignment: letters put in, left out, exchanged, or swapped with their neighbour.</summary>
    private static int Distance(string a, string b)
    {
        int[,] table = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            table[i, 0] = i;
        }

        for (int j = 0; j <= b.Length; j++)
        {
            table[0, j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int exchange = table[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                table[i, j] = Math.Min(exchange, Math.Min(table[i - 1, j], table[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    table[i, j] = Math.Min(table[i, j], table[i - 2, j - 2] + 1);
                }
            }
        }

        return table[a.Length, b.Length];
    }
}
