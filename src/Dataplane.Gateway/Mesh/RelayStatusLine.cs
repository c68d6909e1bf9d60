using System.Globalization;
using System.Text;
using System.Text.Json;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;

namespace Dataplane.Gateway.Mesh;

/// <summary>All counters of a relay as one line of JSON, and as lines for people.</summary>
internal static class RelayStatusLine
{
    public static string NameOf(ListenerKind kind) => kind.ToString().ToLowerInvariant();

    /// <summary>What became of all connections.</summary>
    public static IEnumerable<string> Summary(RelayStatus status) => status.Listeners.Select(listener => string.Create(CultureInfo.InvariantCulture,
        $"listener {listener.Name}: accepted {listener.Accepted} = ended {listener.Ends.Values.Sum()} + active {listener.Active}"
        + $"{string.Concat(listener.Ends.Select(end => $", {end.Key} {end.Value}"))}; bytes {listener.BytesFromClient} from clients, {listener.BytesToClient} to clients"));

    public static string Write(RelayStatus status)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            json.WriteString("state", status.State.ToString().ToLowerInvariant());
            json.WriteNumber("connections", status.Connections);
            json.WriteStartArray("listeners");
            foreach (ListenerStatus listener in status.Listeners)
                Write(json, listener);
            json.WriteEndArray();
            json.WriteStartArray("certificates");
            foreach (IdentityStatus certificate in status.Certificates)
                Write(json, certificate);
            json.WriteEndArray();
            Write(json, "denied", status.Denied);
            Write(json, "would_deny", status.WouldDeny);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    private static void Write(Utf8JsonWriter json, ListenerStatus listener)
    {
        json.WriteStartObject();
        json.WriteString("name", listener.Name);
        json.WriteString("address", listener.Address.ToString());
        json.WriteNumber("accepted", listener.Accepted);
        json.WriteNumber("active", listener.Active);
        json.WriteNumber("bytes_from_client", listener.BytesFromClient);
        json.WriteNumber("bytes_to_client", listener.BytesToClient);
        json.WriteNumber("handshakes", listener.Handshakes);
        json.WriteNumber("handshake_ns", listener.HandshakeNs);
        Write(json, "ended", listener.Ends);
        json.WriteStartArray("endpoints");
        foreach (EndpointStatus endpoint in listener.Endpoints)
        {
            json.WriteStartObject();
            json.WriteString("route", endpoint.Route);
            json.WriteString("address", endpoint.Address);
            json.WriteNumber("active", endpoint.Active);
            json.WriteNumber("failures", endpoint.Failures);
            json.WriteBoolean("ejected", endpoint.IsEjected);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, IdentityStatus certificate)
    {
        json.WriteStartObject();
        json.WriteString("name", certificate.Name);
        json.WriteString("not_after", certificate.NotAfter.UtcDateTime);
        json.WriteNumber("revision", certificate.Revision);
        json.WriteNumber("failures", certificate.Failures);
        json.WriteString("problem", certificate.Problem);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, IReadOnlyDictionary<string, long> counts)
    {
        json.WriteStartObject(name);
        foreach ((string key, long count) in counts)
            json.WriteNumber(key, count);
        json.WriteEndObject();
    }
}
