using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;

namespace Dataplane.Mesh.Registration;

/// <summary>Registers endpoints with a mesh's registry. Any thread.</summary>
/// <example><code>
/// using var mesh = new MeshClient(new Uri("http://10.1.0.1:7070"));
/// await using MeshLease lease = await mesh.RegisterAsync("web", "web-1",
///     new EndpointRegistration { Address = "10.1.0.11", Ports = new Dictionary&lt;string, int&gt; { ["http"] = 8080 } });
/// </code></example>
public sealed class MeshClient : IDisposable
{
    private readonly HttpClient _http;
    private readonly TimeProvider _time;

    /// <summary>Makes a client; connects to nothing yet.</summary>
    /// <param name="registry">Address of the registry.</param>
    /// <param name="token">The word of the registry; null: it asks for none.</param>
    /// <param name="time">Clock of the heartbeats; null for the system's.</param>
    public MeshClient(Uri registry, string? token = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(registry);
        _time = time ?? TimeProvider.System;
        _http = new HttpClient { BaseAddress = registry, Timeout = TimeSpan.FromSeconds(5) };
        if (token is not null)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    /// <summary>Registers an endpoint and keeps its lease renewed until the result is disposed; that takes it out at once.</summary>
    /// <param name="service">Name of the service.</param>
    /// <param name="id">What the endpoint calls itself; one endpoint each.</param>
    /// <param name="endpoint">What it is.</param>
    /// <param name="space">Name space of the service.</param>
    /// <param name="cancellationToken">Ends the first registration.</param>
    /// <exception cref="MeshRegistrationException">The registry refuses it.</exception>
    /// <exception cref="HttpRequestException">The registry does not answer. Once registered, the lease goes on trying by itself.</exception>
    public async Task<MeshLease> RegisterAsync(string service, string id, EndpointRegistration endpoint, string space = "default", CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(service);
        ArgumentNullException.ThrowIfNull(id);
        ArgumentNullException.ThrowIfNull(endpoint);
        string path = $"{ServicePath(space, service)}/endpoints/{Uri.EscapeDataString(id)}";
        try
        {
            await PutAsync(path, endpoint, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The registry may have heard it all the same; nobody would take the endpoint out before its lease has run out.
            await TryRemoveAsync(path).ConfigureAwait(false);
            throw;
        }

        return new MeshLease(this, path, endpoint, _time);
    }

    /// <summary>Defines a service.</summary>
    /// <exception cref="MeshRegistrationException">The registry refuses it.</exception>
    /// <exception cref="HttpRequestException">The registry does not answer.</exception>
    public async Task DefineAsync(string service, ServiceRegistration definition, string space = "default", CancellationToken cancellationToken = default)
    {
        using HttpResponseMessage response = await _http.PutAsJsonAsync(ServicePath(space, service), definition, MeshJson.Default.ServiceRegistration, cancellationToken).ConfigureAwait(false);
        await ThrowIfRefusedAsync(response, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>All that is registered.</summary>
    /// <exception cref="HttpRequestException">The registry does not answer.</exception>
    public async Task<RegistryListing> ListAsync(CancellationToken cancellationToken = default) =>
        await _http.GetFromJsonAsync("/v1/services", MeshJson.Default.RegistryListing, cancellationToken).ConfigureAwait(false) ?? new RegistryListing(0, new Dictionary<string, ServiceRegistration>(), []);

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    internal async Task<RegistrationReply?> PutAsync(string path, EndpointRegistration endpoint, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await _http.PutAsJsonAsync(path, endpoint, MeshJson.Default.EndpointRegistration, cancellationToken).ConfigureAwait(false);
        await ThrowIfRefusedAsync(response, cancellationToken).ConfigureAwait(false);
        return await response.Content.ReadFromJsonAsync(MeshJson.Default.RegistrationReply, cancellationToken).ConfigureAwait(false);
    }

    /// <returns>False when the registry does not know the endpoint any more.</returns>
    internal async Task<bool> HeartbeatAsync(string path, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await _http.PostAsync(new Uri($"{path}/heartbeat", UriKind.Relative), null, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }

        response.EnsureSuccessStatusCode();
        return true;
    }

    /// <returns>Why the registry could not be told; empty when it was.</returns>
    internal async Task<string> TryRemoveAsync(string path)
    {
        try
        {
            using HttpResponseMessage _ = await _http.DeleteAsync(new Uri(path, UriKind.Relative), CancellationToken.None).ConfigureAwait(false);
            return "";
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            return exception.Message;
        }
    }

    private static string ServicePath(string space, string service) => $"/v1/namespaces/{Uri.EscapeDataString(space)}/services/{Uri.EscapeDataString(service)}";

    private static async Task ThrowIfRefusedAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.Unauthorized or HttpStatusCode.InsufficientStorage)
        {
            RegistrationProblem? problem = await response.Content.ReadFromJsonAsync(MeshJson.Default.RegistrationProblem, cancellationToken).ConfigureAwait(false);
            throw new MeshRegistrationException(problem?.Error ?? response.StatusCode.ToString());
        }

        response.EnsureSuccessStatusCode();
    }
}
