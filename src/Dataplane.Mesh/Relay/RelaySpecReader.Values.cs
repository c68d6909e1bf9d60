using System.Net;
using System.Numerics;
using Dataplane.Configuration;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Mesh.Relay;

internal sealed partial class RelaySpecReader
{
    private static readonly BigInteger s_mostNs = 7L * 24 * 3600 * 1_000_000_000;

    /// <summary>Reads <c>10.1.0.2:15008</c> or <c>[2001:db8::2]:15008</c>; null when it is neither.</summary>
    internal static IPEndPoint? ParseEndPoint(string text)
    {
        if (!StreamSockets.TryParse(text, out IpAddress address, out ushort port))
            return null;
        Span<byte> bytes = stackalloc byte[IpAddress.V6LengthBytes];
        return new IPEndPoint(new IPAddress(bytes[..address.Write(bytes)]), port);
    }

    private static IPEndPoint? ReadEndPoint(in MappingReader reader, string key, string? text, bool canBeAny)
    {
        if (text is null)
            return null;
        if (ParseEndPoint(text) is { } read && (canBeAny || !read.Address.Equals(IPAddress.Any) && !read.Address.Equals(IPAddress.IPv6Any)))
            return read;
        reader.Error(key, "is not an address with a port from 1 to 65535, such as 127.0.0.1:8080 or \"[::]:15008\"", text);
        return null;
    }

    /// <summary>A list, or one element without its list.</summary>
    private static IEnumerable<(ConfigNode Node, string Path)> OneOrMany(in MappingReader reader, string key) =>
        reader.Value(key) is { Kind: not ConfigNodeKind.Sequence } one ? [(one, reader.PathOf(key))] : reader.Items(key, "each");

    private List<string> Texts(in MappingReader reader, string key)
    {
        var texts = new List<string>();
        foreach ((ConfigNode node, string path) in OneOrMany(reader, key))
        {
            if (node.Kind == ConfigNodeKind.Scalar && node.Text.Length > 0)
                texts.Add(node.Text);
            else
                _errors.Add(new ConfigurationError(path, "is not a text"));
        }

        return texts;
    }

    private List<SpiffePattern> Patterns(in MappingReader reader, string key)
    {
        var patterns = new List<SpiffePattern>();
        foreach ((ConfigNode node, string path) in OneOrMany(reader, key))
            AddPattern(node, path, patterns);
        return patterns;
    }

    private void AddPattern(ConfigNode node, string path, List<SpiffePattern> patterns)
    {
        string text = node.Kind == ConfigNodeKind.Scalar ? node.Text : "";
        if (SpiffePattern.TryParse(text, out SpiffePattern? pattern, out string problem))
            patterns.Add(pattern);
        else
            _errors.Add(new ConfigurationError(path, problem, text));
    }

    private List<IPNetwork> Prefixes(in MappingReader reader, string key)
    {
        var prefixes = new List<IPNetwork>();
        foreach ((ConfigNode node, string path) in OneOrMany(reader, key))
            AddPrefix(node, path, prefixes);
        return prefixes;
    }

    private void AddPrefix(ConfigNode node, string path, List<IPNetwork> prefixes)
    {
        string text = node.Kind == ConfigNodeKind.Scalar ? node.Text : "";
        int before = _errors.Count;
        IpPrefix prefix = TextReading.PrefixOrAddress(text, path, _errors);
        if (_errors.Count > before)
            return;
        Span<byte> bytes = stackalloc byte[IpAddress.V6LengthBytes];
        prefixes.Add(new IPNetwork(new IPAddress(bytes[..prefix.First.Write(bytes)]), prefix.Length));
    }

    private (IReadOnlyList<IPNetwork> Addresses, IReadOnlyList<SpiffePattern> Identities) ReadProxyFrom(in MappingReader reader)
    {
        var prefixes = new List<IPNetwork>();
        var patterns = new List<SpiffePattern>();
        foreach ((ConfigNode node, string path) in OneOrMany(reader, "proxy_from"))
        {
            if (node.Text.StartsWith("spiffe:", StringComparison.Ordinal))
                AddPattern(node, path, patterns);
            else
                AddPrefix(node, path, prefixes);
        }

        return (prefixes, patterns);
    }

    private List<ConnectionMethod> Methods(in MappingReader reader)
    {
        var methods = new List<ConnectionMethod>();
        foreach ((ConfigNode node, string path) in OneOrMany(reader, "methods"))
        {
            if (RelayKeys.Methods.TryRead(node.Text, out ConnectionMethod method))
                methods.Add(method);
            else
                _errors.Add(new ConfigurationError(path, RelayKeys.Methods.Problem + WordList.DidYouMean(node.Text, RelayKeys.Methods.Names), node.Text));
        }

        return methods;
    }

    private static TimeSpan Duration(in MappingReader reader, string key, TimeSpan otherwise)
    {
        if (reader.Scalar(key, null, "a duration") is not { } text)
            return otherwise;
        if (DurationText.TryRead(text, out BigInteger ns) && ns <= s_mostNs)
            return TimeSpan.FromMicroseconds((double)(ns / 1000));
        reader.Error(key, "is not a duration up to 604800s: a whole number with a unit is needed (ms or s), such as 10s", text);
        return otherwise;
    }
}
