using System.Text.Json;
using System.Text.Json.Serialization;
using Dataplane.Packets;

namespace Dataplane.Networks;

/// <summary>The leases of one network, or what has changed of them, as a file has them.</summary>
internal sealed record LeaseFile
{
    /// <summary>By subnet: the address given out last; the search goes on behind it, so that an address rests as long as it can.</summary>
    public Dictionary<string, string> Last { get; init; } = [];

    public List<LeaseEntry> Leases { get; init; } = [];

    /// <summary>Of a change: addresses that are nobody's any more.</summary>
    public List<string>? Gone { get; init; }

    /// <exception cref="IOException">The file is not one of ours.</exception>
    public static LeaseFile Read(string path)
    {
        if (!File.Exists(path))
        {
            return new LeaseFile();
        }

        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), LeaseJson.Default.LeaseFile) ?? throw new JsonException("null");
        }
        catch (JsonException wrong)
        {
            // It is never written in part: somebody has changed it. Beginning anew would give addresses twice.
            throw new IOException($"{path} is damaged ({wrong.Message}); restore it, or remove it when nothing is attached to the network.", wrong);
        }
    }

    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, LeaseJson.Default.LeaseFile);
}

/// <summary>One lease in a file.</summary>
internal sealed record LeaseEntry(string Address, string Holder, DateTimeOffset? Released)
{
    public AddressLease ToLease() => new(IpAddress.Parse(Address), Holder, Released);
}

/// <summary>How the files are read and written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LeaseFile))]
internal sealed partial class LeaseJson : JsonSerializerContext;

/// <summary>How a line of a file is written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LeaseFile))]
internal sealed partial class LeaseLines : JsonSerializerContext;
