using System.Security.Authentication;
using System.Text.Json;

namespace Dataplane.Mesh.Kubernetes;

/// <summary>One collection of an API server, such as all services: listed, then watched, and kept as it is there.</summary>
/// <remarks>
/// Theory of operation. The version of a list is where its watch begins; the version of each event, bookmarks included, is where the next watch goes on when one ends,
/// so that an end without a word costs nothing. A version that the server has forgotten (410, as a status of a request or as an event) means to list again; the new
/// list takes the place of the old one at once, when it is whole. A list that is forgotten between two pages is asked for again in one page, as client-go does. All other
/// failures are tried again with growing delays; what is known stays in force meanwhile. What fails often in a row is begun anew with a list.
/// </remarks>
/// <param name="path">Path at the server.</param>
/// <param name="kind">Kind of its objects; those in lists do not say it.</param>
/// <param name="timings">Delays.</param>
/// <param name="owner">Who is told what happens.</param>
internal sealed class ObjectCollection(string path, string kind, KubernetesTimings timings, ObjectCollection.IOwner owner)
{
    private const int FailuresBeforeList = 5;

    /// <summary>Whoever has collections.</summary>
    internal interface IOwner
    {
        /// <summary>How to reach the server now.</summary>
        /// <exception cref="IOException">That cannot be read.</exception>
        ClusterAccess Access();

        /// <summary>The server was heard.</summary>
        /// <param name="collection">By whom.</param>
        /// <param name="isChanged">Whether objects are others now.</param>
        void Heard(ObjectCollection collection, bool isChanged);

        /// <summary>Something failed, and is tried again.</summary>
        void Failed(ObjectCollection collection, string problem);
    }

    private readonly Lock _gate = new();
    private Dictionary<string, ObjectReader?> _changes = new(StringComparer.Ordinal);
    private bool _isListedAnew;
    private string? _version;
    private int _failures;

    /// <summary>Whether it has been listed once.</summary>
    public bool IsListed { get; private set; }

    /// <summary>What is wrong now; empty: nothing. Written by the owner, who holds his lock.</summary>
    public string Problem { get; set; } = "has not been heard yet";

    /// <summary>Kind of its objects.</summary>
    public string Kind => kind;

    /// <summary>What has changed since the last call. Any thread.</summary>
    /// <returns>The objects by name space and name, null for those that are gone; and whether they are all there are, so that others are gone too.</returns>
    public (IReadOnlyDictionary<string, ObjectReader?> Changes, bool AreAll) TakeChanges()
    {
        lock (_gate)
        {
            (IReadOnlyDictionary<string, ObjectReader?> changes, bool areAll) = (_changes, _isListedAnew);
            (_changes, _isListedAnew) = (new(StringComparer.Ordinal), false);
            return (changes, areAll);
        }
    }

    /// <summary>Follows the collection until it is told to end.</summary>
    public async Task RunAsync(CancellationToken ending)
    {
        while (!ending.IsCancellationRequested)
        {
            TimeSpan least = TimeSpan.Zero;
            try
            {
                using var client = new KubernetesClient(owner.Access(), timings);
                while (true)
                {
                    if (_version is null)
                    {
                        await ListAsync(client, ending).ConfigureAwait(false);
                    }

                    await WatchAsync(client, ending).ConfigureAwait(false);
                }
            }
            catch (KubernetesException gone) when (gone.IsGone && _version is not null)
            {
                // Not a failure: the server keeps minutes of history, and a watch can fall behind it. But lists are dear, so not at once again and again.
                _version = null;
                _failures++;
                await WaitAsync(TimeSpan.Zero, ending).ConfigureAwait(false);
                continue;
            }
            catch (Exception exception) when (IsOfTheNetwork(exception))
            {
                if (ending.IsCancellationRequested)
                {
                    return;
                }

                least = exception is KubernetesException refused ? refused.RetryAfter : TimeSpan.Zero;
                owner.Failed(this, $"{path}: {(exception is OperationCanceledException ? "no answer in time" : Innermost(exception))}");
            }

            _version = ++_failures >= FailuresBeforeList ? null : _version;
            await WaitAsync(least, ending).ConfigureAwait(false);
        }
    }

    private static bool IsOfTheNetwork(Exception exception) => exception is KubernetesException or HttpRequestException or IOException or OperationCanceledException
        or JsonException or TimeoutException or AuthenticationException or InvalidOperationException;

    /// <summary>Failures of TLS and sockets say what is wrong in their innermost exception only.</summary>
    private static string Innermost(Exception exception)
    {
        Exception inner = exception.GetBaseException();
        return ReferenceEquals(inner, exception) ? exception.Message : $"{exception.Message} ({inner.Message})";
    }

    private async Task WaitAsync(TimeSpan least, CancellationToken ending)
    {
        double delay = Math.Min(timings.MaxDelay.TotalMilliseconds, timings.MinDelay.TotalMilliseconds * Math.Pow(2, Math.Min(_failures - 1, 20)));
        double chosen = Math.Max(delay * (0.5 + (Random.Shared.NextDouble() / 2)), Math.Min(least.TotalMilliseconds, 60_000));
        await Task.Delay(TimeSpan.FromMilliseconds(chosen), ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task ListAsync(KubernetesClient client, CancellationToken ending)
    {
        var objects = new Dictionary<string, ObjectReader?>(StringComparer.Ordinal);
        string version, token = "";
        bool isWhole = false;
        do
        {
            JsonDocument page;
            try
            {
                page = await client.ListAsync(path, token, isWhole, ending).ConfigureAwait(false);
            }
            catch (KubernetesException gone) when (gone.IsGone && token.Length > 0)
            {
                objects.Clear();
                (token, isWhole) = ("", true);
                page = await client.ListAsync(path, token, isWhole, ending).ConfigureAwait(false);
            }

            using (page)
            {
                var list = new ObjectNode(page.RootElement);
                foreach (ObjectNode item in list.Items("items"))
                {
                    objects[KeyOf(item)] = Read(item);
                }

                string next = list.Text("metadata", "continue");
                version = list.Text("metadata", "resourceVersion");
                if (version.Length == 0 || (next.Length > 0 && next == token))
                {
                    throw new KubernetesException(0, "what came is no list of objects");
                }

                token = next;
            }
        }
        while (token.Length > 0);

        lock (_gate)
        {
            (_changes, _isListedAnew) = (objects, true);
        }

        (_version, IsListed) = (version, true);
        owner.Heard(this, isChanged: true);
    }

    /// <summary>Follows changes until the server ends the stream.</summary>
    private async Task WatchAsync(KubernetesClient client, CancellationToken ending)
    {
        long begun = TimeProvider.System.GetTimestamp();
        bool hasSpoken = false;
        await using WatchStream stream = await client.WatchAsync(path, _version!, ending).ConfigureAwait(false);
        owner.Heard(this, isChanged: false);
        while (await stream.NextAsync(ending).ConfigureAwait(false) is { } document)
        {
            using (document)
            {
                Apply(new ObjectNode(document.RootElement));
            }

            (_failures, hasSpoken) = (0, true);
        }

        if (!hasSpoken && TimeProvider.System.GetElapsedTime(begun) < timings.ShortWatch)
        {
            throw new KubernetesException(0, "the server ends watches at once");
        }

        _failures = 0;
    }

    private void Apply(ObjectNode happened)
    {
        ObjectNode item = happened["object"];
        string type = happened.Text("type"), version = item.Text("metadata", "resourceVersion");
        if (type == "ERROR")
        {
            int code = int.TryParse(item.Text("code"), out int number) ? number : 0;
            throw new KubernetesException(code, $"watch: {item.Text("message")}");
        }

        if (version.Length == 0)
        {
            throw new KubernetesException(0, $"an event of type \"{type}\" without a version");
        }

        bool isChanged = type is "ADDED" or "MODIFIED" or "DELETED";
        if (isChanged)
        {
            ObjectReader? read = type == "DELETED" ? null : Read(item);
            lock (_gate)
            {
                _changes[KeyOf(item)] = read;
            }
        }

        _version = version;
        owner.Heard(this, isChanged);
    }

    private static string KeyOf(ObjectNode item) => $"{item.Text("metadata", "namespace")}/{item.Text("metadata", "name")}";

    private ObjectReader Read(ObjectNode item)
    {
        var reader = new ObjectReader($"{kind} {KeyOf(item)}");
        reader.Read(item, kind);
        return reader;
    }
}
