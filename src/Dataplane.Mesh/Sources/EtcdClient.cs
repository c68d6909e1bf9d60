using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Dataplane.Mesh.Sources;

/// <summary>Speaks to one member of an etcd cluster by the JSON gateway of its version 3 interface: the same calls as over gRPC, with keys and values in base 64.</summary>
internal sealed partial class EtcdClient(Uri member) : IDisposable
{
    private readonly HttpClient _http = new() { BaseAddress = member, Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>The longest message of a watch: a member tells what it has for it in parts of a few megabytes.</summary>
    internal int MaxLineBytes { get; init; } = 64 << 20;

    /// <summary>A change that a watch tells: the value is null when the key is gone.</summary>
    internal readonly record struct Change(string Key, byte[]? Value);

    /// <summary>Everything below a prefix, and the revision that is true of.</summary>
    public async Task<(Dictionary<string, byte[]> Values, long Revision)> RangeAsync(string prefix, CancellationToken cancellationToken)
    {
        using JsonDocument answer = await PostAsync("/v3/kv/range", $$"""{"key":"{{Base64(prefix)}}","range_end":"{{Base64(EndOf(prefix))}}"}""", cancellationToken).ConfigureAwait(false);
        var values = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        if (answer.RootElement.TryGetProperty("kvs", out JsonElement pairs))
        {
            foreach (JsonElement pair in pairs.EnumerateArray())
            {
                values[KeyOf(pair)] = ValueOf(pair);
            }
        }

        return (values, Number(answer.RootElement.GetProperty("header"), "revision"));
    }

    /// <summary>Writes a value, for as long as a lease lives if there is one.</summary>
    public async Task PutAsync(string key, byte[] value, long lease, CancellationToken cancellationToken)
    {
        string body = string.Create(CultureInfo.InvariantCulture, $$"""{"key":"{{Base64(key)}}","value":"{{Convert.ToBase64String(value)}}","lease":"{{lease}}"}""");
        using JsonDocument _ = await PostAsync("/v3/kv/put", body, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes a key out.</summary>
    public async Task DeleteAsync(string key, CancellationToken cancellationToken)
    {
        using JsonDocument _ = await PostAsync("/v3/kv/deleterange", $$"""{"key":"{{Base64(key)}}"}""", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes a lease of so many seconds.</summary>
    public async Task<long> GrantAsync(int seconds, CancellationToken cancellationToken)
    {
        using JsonDocument answer = await PostAsync("/v3/lease/grant", string.Create(CultureInfo.InvariantCulture, $$"""{"TTL":"{{seconds}}"}"""), cancellationToken).ConfigureAwait(false);
        return Number(answer.RootElement, "ID");
    }

    /// <summary>Changes below a prefix from a revision on; ends when the member ends the watch, by a compaction for instance.</summary>
    /// <exception cref="InvalidDataException">A message is longer than <see cref="MaxLineBytes"/>.</exception>
    public async IAsyncEnumerable<IReadOnlyList<Change>> WatchAsync(string prefix, long fromRevision, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string body = string.Create(CultureInfo.InvariantCulture,
            $$$"""{"create_request":{"key":"{{{Base64(prefix)}}}","range_end":"{{{Base64(EndOf(prefix))}}}","start_revision":"{{{fromRevision}}}","progress_notify":true}}""");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v3/watch") { Content = Json(body) };
        using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        response.EnsureSuccessStatusCode();
        await using var lines = new BoundedLines(await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false), MaxLineBytes);
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            using var message = JsonDocument.Parse(line);
            if (!message.RootElement.TryGetProperty("result", out JsonElement result) || (result.TryGetProperty("canceled", out JsonElement canceled) && canceled.GetBoolean()))
            {
                yield break;
            }

            var changes = new List<Change>();
            foreach (JsonElement one in result.TryGetProperty("events", out JsonElement events) ? events.EnumerateArray().ToArray() : [])
            {
                JsonElement pair = one.GetProperty("kv");
                bool isGone = one.TryGetProperty("type", out JsonElement type) && type.GetString() == "DELETE";
                changes.Add(new Change(KeyOf(pair), isGone ? null : ValueOf(pair)));
            }

            yield return changes;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<JsonDocument> PostAsync(string path, string body, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(3));
        using HttpResponseMessage response = await _http.PostAsync(new Uri(path, UriKind.Relative), Json(body), patience.Token).ConfigureAwait(false);
        response.EnsureSuccessStatusCode();
        return await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(patience.Token).ConfigureAwait(false), default, patience.Token).ConfigureAwait(false);
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static string KeyOf(JsonElement pair) => Encoding.UTF8.GetString(pair.GetProperty("key").GetBytesFromBase64());

    private static byte[] ValueOf(JsonElement pair) => pair.TryGetProperty("value", out JsonElement value) ? value.GetBytesFromBase64() : [];

    /// <summary>64-bit numbers are texts in the JSON of protocol buffers.</summary>
    private static long Number(JsonElement element, string key) => element.TryGetProperty(key, out JsonElement value) && long.TryParse(value.GetString(), NumberStyles.Integer, CultureInfo.InvariantCulture, out long number) ? number : 0;

    /// <summary>The first key behind all that begin with a prefix. Prefixes end in a character that has a next one.</summary>
    private static string EndOf(string prefix) => prefix[..^1] + (char)(prefix[^1] + 1);
}
