namespace Dataplane.Mesh.Tests.Sources;

/// <summary>A test with a real name server: skipped, with the reason, where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class UnboundFactAttribute : FactAttribute
{
    public UnboundFactAttribute() => Skip = Program is null ? "needs unbound" : null;

    public static string? Program { get; } = new[] { "/usr/sbin/unbound", "/usr/bin/unbound", "/usr/local/sbin/unbound" }.FirstOrDefault(File.Exists);
}
