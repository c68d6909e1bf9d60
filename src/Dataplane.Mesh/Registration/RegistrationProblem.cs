namespace Dataplane.Mesh.Registration;

/// <summary>Why a request was refused.</summary>
/// <param name="Error">What is wrong, where, and what is allowed.</param>
internal sealed record RegistrationProblem(string Error);
