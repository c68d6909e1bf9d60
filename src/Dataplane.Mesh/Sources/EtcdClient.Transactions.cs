using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Dataplane.Mesh.Sources;

/// <content>What is read to be changed, and written only if nobody else has changed it.</content>
internal sealed partial class EtcdClient
{
    /// <summary>A key to be written; without a value it is taken out.</summary>
    internal readonly record struct Write(string Key, byte[]? Value, long Lease = 0);

    /// <summary>The value of a key, null when it is not there, and the revision of its last change, 0 then.</summary>
    public async Task<(byte[]? Value, long Revision)> GetAsync(string key, CancellationToken cancellationToken)
    {
        using JsonDocument answer = await PostAsync("/v3/kv/range", $$"""{"key":"{{Base64(key)}}"}""", cancellationToken).ConfigureAwait(false);
        return answer.RootElement.TryGetProperty("kvs", out JsonElement pairs) && pairs.GetArrayLength() > 0
            ? (ValueOf(pairs[0]), Number(pairs[0], "mod_revision")) : (null, 0);
    }

    /// <summary>Writes all or nothing: only if each of some keys was changed last at the revision given, 0 for one that must not be there.</summary>
    /// <returns>False when one was changed since; nothing is written then.</returns>
    public async Task<bool> TryWriteAsync(IReadOnlyList<(string Key, long Revision)> unchanged, IReadOnlyList<Write> writes, CancellationToken cancellationToken)
    {
        var body = new StringBuilder("{\"compare\":[");
        body.AppendJoin(',', unchanged.Select(known => string.Create(CultureInfo.InvariantCulture,
            $$"""{"key":"{{Base64(known.Key)}}","target":"MOD","result":"EQUAL","mod_revision":"{{known.Revision}}"}""")));
        body.Append("],\"success\":[");
        body.AppendJoin(',', writes.Select(write => write.Value is { } value
            ? string.Create(CultureInfo.InvariantCulture, $$$"""{"request_put":{"key":"{{{Base64(write.Key)}}}","value":"{{{Convert.ToBase64String(value)}}}","lease":"{{{write.Lease}}}"}}""")
            : $$$"""{"request_delete_range":{"key":"{{{Base64(write.Key)}}}"}}"""));
        body.Append("]}");
        using JsonDocument answer = await PostAsync("/v3/kv/txn", body.ToString(), cancellationToken).ConfigureAwait(false);
        return answer.RootElement.TryGetProperty("succeeded", out JsonElement succeeded) && succeeded.GetBoolean();
    }

    /// <summary>Lets a lease live for its whole time again.</summary>
    /// <returns>False when it has ended.</returns>
    public async Task<bool> KeepAliveAsync(long lease, CancellationToken cancellationToken)
    {
        using JsonDocument answer = await PostAsync("/v3/lease/keepalive", string.Create(CultureInfo.InvariantCulture, $$"""{"ID":"{{lease}}"}"""), cancellationToken).ConfigureAwait(false);
        return answer.RootElement.TryGetProperty("result", out JsonElement result) && Number(result, "TTL") > 0;
    }
}
