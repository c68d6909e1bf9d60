using Dataplane.Configuration;
using Dataplane.Mesh.Relay;

namespace Dataplane.Mesh.Tests.Support;

/// <summary>Configuration trees written as code.</summary>
internal static class Tree
{
    private static readonly string[] s_keys = [.. RelayKeys.All, "unknown", "example.org"];

    private static readonly string[] s_texts =
    [
        "", "~", "true", "0", "-1", "65536", "inbound", "outbound", "edge", "passthrough", "original", "original:0", "original:15008", "10.0.0.1:80", "[::]:443",
        "spiffe://example.org/x", "spiffe://*", "10.0.0.0/8", "::/0", "10s", "9999999999999s", "mutual", "tls", "proxy", "redirect", "deny", "a.pem",
    ];

    /// <summary>The root of the repository.</summary>
    internal static string Root
    {
        get
        {
            DirectoryInfo? at = new(AppContext.BaseDirectory);
            while (at is not null && !File.Exists(Path.Combine(at.FullName, "Dataplane.sln")))
                at = at.Parent;
            return at!.FullName;
        }
    }

    internal static ConfigNode Map(params (string Key, object Value)[] entries) =>
        ConfigNode.Mapping([.. entries.Select(entry => new ConfigEntry(entry.Key, Node(entry.Value)))]);

    internal static ConfigNode List(params object[] items) => ConfigNode.Sequence([.. items.Select(Node)]);

    internal static ConfigNode Any(Random random, int depth) => random.Next(depth > 0 ? 4 : 1) switch
    {
        0 => ConfigNode.Scalar(s_texts[random.Next(s_texts.Length)]),
        1 => ConfigNode.Sequence([.. Enumerable.Range(0, random.Next(4)).Select(_ => Any(random, depth - 1))]),
        _ => ConfigNode.Mapping([.. Enumerable.Range(0, random.Next(8)).Select(_ => new ConfigEntry(s_keys[random.Next(s_keys.Length)], Any(random, depth - 1)))]),
    };

    private static ConfigNode Node(object value) => value as ConfigNode ?? ConfigNode.Scalar((string)value);
}
