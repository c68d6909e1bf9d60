using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Dataplane.Mesh.Sources;

namespace Dataplane.Mesh.Registration;

/// <summary>What a registry elsewhere knows, such as that of the gateway for a relay: read once, and then followed change by change.</summary>
/// <remarks>
/// A stream that ends is taken up where it ended. What was known stays while nobody answers, and endpoints that a registry which was started anew has not heard of yet stay for the time
/// of their lease: until then they have registered again, or are gone.
/// </remarks>
internal sealed class RegistryFollower : MeshSource
{
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(300), s_connect = TimeSpan.FromSeconds(3);

    /// <summary>The server says something at least every few seconds; one that does not is not there any more.</summary>
    private static readonly TimeSpan s_silence = RegistrationServer.SaysSomethingEvery * 4;

    /// <summary>A line holds a thousand services and a thousand endpoints at most, which have some hundred bytes each; a server that sends more than this is none of ours.</summary>
    internal const int MaxLineBytes = 16 << 20;

    /// <summary>All lines of one change together: far more than a registry that is full.</summary>
    private const long MaxChangeBytes = 512L << 20;

    private readonly IReadOnlyList<string> _servers;
    private readonly string _tokenFile;
    private readonly Registry _registry;
    private readonly List<RegistryNews> _unfinished = [];

    /// <summary>Endpoints that the registry does not know although it has not said that they are gone, and until when they stay.</summary>
    private readonly Dictionary<(string Namespace, string Service, string Id), DateTimeOffset> _awaited = [];
    private string _instance = "";
    private long _revision;

    /// <summary>Makes the source; connects to nothing yet.</summary>
    /// <param name="servers">Addresses of the registry, such as <c>http://10.1.0.1:7070</c>, asked in turn.</param>
    /// <param name="tokenFile">File with the word that it asks for; empty: none. Read anew for each connection.</param>
    /// <param name="time">Clock.</param>
    public RegistryFollower(IReadOnlyList<string> servers, string tokenFile, TimeProvider time)
        : base($"registration {string.Join(' ', servers)}", time) => (_servers, _tokenFile, _registry) = (servers, tokenFile, new Registry(time));

    /// <inheritdoc/>
    protected override async Task RunAsync(CancellationToken ending)
    {
        for (int turn = 0; ; turn++)
        {
            string server = _servers[turn % _servers.Count], problem = $"{server} ended the stream";
            try
            {
                await FollowAsync(server, ending).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException or JsonException or InvalidDataException or UnauthorizedAccessException)
            {
                problem = $"{server}: {(exception is OperationCanceledException ? "no answer in time" : exception.GetBaseException().Message)}";
            }

            _unfinished.Clear();
            Failed(problem);
            await Task.Delay(s_between, Time, ending).ConfigureAwait(false);
        }
    }

    private async Task FollowAsync(string server, CancellationToken ending)
    {
        using var handler = new SocketsHttpHandler { ConnectTimeout = s_connect };
        using var http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ending);
        patience.CancelAfter(s_silence);
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri(server), $"/v1/watch?instance={_instance}&after={_revision}"));
        if (_tokenFile.Length > 0)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(_tokenFile, patience.Token).ConfigureAwait(false)).Trim());
        }

        using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw new InvalidDataException($"answers with status {(int)response.StatusCode}{(response.StatusCode == HttpStatusCode.Unauthorized ? ": its word is needed (token_file)" : "")}");
        }

        await using Stream stream = await response.Content.ReadAsStreamAsync(patience.Token).ConfigureAwait(false);
        await using var lines = new BoundedLines(stream, MaxLineBytes);
        long unfinishedBytes = 0;
        while (await lines.ReadAsync(patience.Token).ConfigureAwait(false) is { } line)
        {
            patience.CancelAfter(s_silence);
            unfinishedBytes += line.Length;
            if (unfinishedBytes > MaxChangeBytes)
            {
                throw new InvalidDataException($"change_too_long: a change has more than the {MaxChangeBytes >> 20} MB that it may have");
            }

            _unfinished.Add(JsonSerializer.Deserialize(line, MeshJson.Default.RegistryNews) ?? throw new InvalidDataException("a line of the registry is null"));
            if (!_unfinished[^1].IsMore)
            {
                Take([.. _unfinished]);
                _unfinished.Clear();
                unfinishedBytes = 0;
            }
        }
    }

    /// <summary>Takes the lines of one change.</summary>
    internal void Take(IReadOnlyList<RegistryNews> news)
    {
        if (news[0].IsWhole)
        {
            StrikeOut(news);
        }

        foreach (RegistryNews.Service service in news.SelectMany(line => line.Services))
        {
            Take(service);
        }

        foreach (RegistryNews.Member member in news.SelectMany(line => line.Endpoints))
        {
            Take(member);
        }

        foreach (((string Namespace, string Service, string Id) key, DateTimeOffset _) in _awaited.Where(awaited => Time.GetUtcNow() >= awaited.Value).ToArray())
        {
            _awaited.Remove(key);
            _registry.Remove(key.Namespace, key.Service, key.Id);
        }

        (_instance, _revision) = (news[^1].Instance, news[^1].Revision);
        SourceSnapshot snapshot = _registry.ToSnapshot();
        Publish(snapshot.Services, snapshot.Endpoints);
    }

    /// <summary>Takes out what is not on a list of everything; of a registry that has just begun, only what was defined.</summary>
    private void StrikeOut(IReadOnlyList<RegistryNews> news)
    {
        RegistryListing known = _registry.List();
        HashSet<string> services = [.. news.SelectMany(line => line.Services).Select(service => $"{service.Namespace}/{service.Name}")];
        foreach (string[] gone in known.Services.Keys.Where(key => !services.Contains(key)).Select(key => key.Split('/')))
        {
            _registry.Undefine(gone[0], gone[1]);
        }

        HashSet<(string, string, string)> members = [.. news.SelectMany(line => line.Endpoints).Select(member => (member.Namespace, member.Service, member.Id))];
        foreach (RegisteredEndpoint gone in known.Endpoints.Where(endpoint => !members.Contains((endpoint.Namespace, endpoint.Service, endpoint.Id))))
        {
            if (news[0].Instance == _instance)
            {
                _registry.Remove(gone.Namespace, gone.Service, gone.Id);
            }
            else
            {
                _awaited.TryAdd((gone.Namespace, gone.Service, gone.Id), Time.GetUtcNow().AddSeconds(gone.Endpoint.LeaseSeconds));
            }
        }
    }

    private void Take(RegistryNews.Service service)
    {
        if (service.Definition is null)
        {
            _registry.Undefine(service.Namespace, service.Name);
        }
        else
        {
            Demand(RegistrationConversion.ProblemOfName("namespace", service.Namespace) ?? RegistrationConversion.ProblemOfName("service", service.Name) ?? RegistrationConversion.ProblemOf(service.Definition));
            _registry.Define(service.Namespace, service.Name, service.Definition);
        }
    }

    private void Take(RegistryNews.Member member)
    {
        _awaited.Remove((member.Namespace, member.Service, member.Id));
        if (member.Endpoint is null)
        {
            _registry.Remove(member.Namespace, member.Service, member.Id);
        }
        else
        {
            Demand(RegistrationConversion.ProblemOfName("namespace", member.Namespace) ?? RegistrationConversion.ProblemOfName("service", member.Service) ?? RegistrationConversion.ProblemOf(member.Endpoint));
            _registry.Put(member.Namespace, member.Service, member.Id, member.Endpoint);
        }
    }

    private static void Demand(string? problem)
    {
        if (problem is not null)
        {
            throw new InvalidDataException($"what came is not of a registry: {problem}");
        }
    }
}
