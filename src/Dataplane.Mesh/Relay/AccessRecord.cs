using System.Net;
using System.Text;
using System.Text.Json;

namespace Dataplane.Mesh.Relay;

/// <summary>What became of one connection; there is one for every connection, refused ones and failed handshakes too.</summary>
public sealed record AccessRecord
{
    /// <summary>When the connection came in.</summary>
    public DateTimeOffset Time { get; init; }

    /// <summary>How long it stood.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Name of the listener.</summary>
    public string Listener { get; init; } = "";

    /// <summary>Name of the route; empty when it did not come that far.</summary>
    public string Route { get; init; } = "";

    /// <summary>Who connected to the relay.</summary>
    public IPEndPoint? Peer { get; init; }

    /// <summary>Where the client is: the peer, or whom a believed PROXY header names.</summary>
    public IPEndPoint? Client { get; init; }

    /// <summary>The client's SPIFFE identity; empty when it has shown none.</summary>
    public string Identity { get; init; } = "";

    /// <summary>The name that the client asked for; empty when it asked for none.</summary>
    public string ServerName { get; init; } = "";

    /// <summary>What the connection was meant for.</summary>
    public IPEndPoint? Destination { get; init; }

    /// <summary>Where it was taken; null when it did not come that far.</summary>
    public IPEndPoint? Upstream { get; init; }

    /// <summary>The identity of the relay it was taken to; empty when there was none.</summary>
    public string UpstreamIdentity { get; init; } = "";

    /// <summary>Version and suite of the client's TLS; empty when there was none that ended here.</summary>
    public string Tls { get; init; } = "";

    /// <summary>Bytes from the client to the destination.</summary>
    public long BytesFromClient { get; init; }

    /// <summary>Bytes from the destination to the client.</summary>
    public long BytesToClient { get; init; }

    /// <summary>Why it ended.</summary>
    public RelayReason Reason { get; init; }

    /// <summary>Whose doing that was.</summary>
    public RelaySide Side { get; init; }

    /// <summary>What is to be known besides; may be empty.</summary>
    public string Detail { get; init; } = "";

    /// <summary>The policy that decided; empty when it did not come that far.</summary>
    public string Policy { get; init; } = "";

    /// <summary>The policy in dry run that would have refused it; empty when there is none.</summary>
    public string WouldDeny { get; init; } = "";

    /// <summary>Whether it was refused or failed, rather than carried to an end.</summary>
    public bool IsProblem => Reason != RelayReason.Completed;

    /// <summary>One line of JSON; what is empty is left out.</summary>
    public string ToJson()
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            json.WriteString("time", Time.UtcDateTime);
            json.WriteString("listener", Listener);
            Write(json, "route", Route);
            Write(json, "peer", Peer?.ToString());
            Write(json, "client", Equals(Client, Peer) ? null : Client?.ToString());
            Write(json, "identity", Identity);
            Write(json, "server_name", ServerName);
            Write(json, "destination", Destination?.ToString());
            Write(json, "upstream", Upstream?.ToString());
            Write(json, "upstream_identity", UpstreamIdentity);
            Write(json, "tls", Tls);
            json.WriteNumber("bytes_from_client", BytesFromClient);
            json.WriteNumber("bytes_to_client", BytesToClient);
            json.WriteNumber("duration_ms", (long)Duration.TotalMilliseconds);
            json.WriteString("reason", RelayNames.Of(Reason));
            json.WriteString("side", RelayNames.Of(Side));
            Write(json, "detail", Detail);
            Write(json, "policy", Policy);
            Write(json, "would_deny", WouldDeny);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    /// <inheritdoc/>
    public override string ToString() => ToJson();

    private static void Write(Utf8JsonWriter json, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
            json.WriteString(name, value);
    }
}
